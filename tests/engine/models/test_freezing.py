"""Training only new rows moves nothing else, weight decay or not (OneRec-Think, check 3)."""

import pytest
import torch

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.freezing import training_only
from genrec_core.engine.models.tiny import Shape, tiny_model
from genrec_core.engine.models.vocabulary import extend, matrices


@pytest.mark.parametrize("tie", [True, False])
def test_new_rows_move_and_everything_else_keeps_every_bit_under_weight_decay(catalogue, tie):
    shape = Shape(hidden=32, layers=1, heads=2, intermediate=48, vocabulary=300, tie=tie)
    model = tiny_model(catalogue.items, shape, device="cpu")
    ids = extend(model, catalogue)
    network = model.network
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    with training_only(network, "new-rows", ids) as rows:
        optimizer = torch.optim.AdamW(rows.parameters, lr=0.1, weight_decay=0.1)
        rows.attach(optimizer)
        for _ in range(3):
            network(torch.tensor([ids]), labels=torch.tensor([ids])).loss.backward()
            optimizer.step()
            network.zero_grad()
    names = [name for name, value in network.named_parameters() if any(value is m for m in matrices(network))]
    assert len(names) == (1 if tie else 2)
    for name, value in network.named_parameters():
        if name in names:
            old = [row for row in range(len(value)) if row not in ids]
            assert torch.equal(value[old], before[name][old])
            assert (value[ids] != before[name][ids]).any(dim=1).all()
        else:
            assert torch.equal(value, before[name])
    assert all(value.requires_grad for value in network.parameters())


def test_clipping_sees_the_gradient_of_new_rows_only(catalogue):
    model = tiny_model(catalogue.items, Shape(hidden=32, layers=1, heads=2, vocabulary=300), device="cpu")
    ids = extend(model, catalogue)
    with training_only(model.network, "new-rows", ids):
        model.network(torch.tensor([[5, 6, *ids]]), labels=torch.tensor([[5, 6, *ids]])).loss.backward()
        gradient = matrices(model.network)[0].grad
        touched = gradient.abs().sum(dim=1).nonzero().squeeze(1).tolist()
        assert touched == sorted(ids)


def test_none_freezes_everything_for_the_length_of_the_block(catalogue):
    model = tiny_model(catalogue.items, Shape(hidden=32, layers=1, heads=2, vocabulary=300), device="cpu")
    with training_only(model.network, "none") as rows:
        assert rows is None
        assert not any(value.requires_grad for value in model.network.parameters())
    assert all(value.requires_grad for value in model.network.parameters())


def test_new_rows_without_new_tokens_is_refused(catalogue):
    model = tiny_model(catalogue.items, Shape(hidden=32, layers=1, heads=2, vocabulary=300), device="cpu")
    with pytest.raises(GenrecError, match="nothing to train"), training_only(model.network, "new-rows"):
        pass
