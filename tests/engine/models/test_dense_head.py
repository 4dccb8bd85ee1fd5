"""The dense head: rows by item and by token, against sums by hand; kept and read again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.context import Context
from genrec_core.engine.models.dense_head import DenseHead, attach, dense_head, shared_parts
from genrec_core.engine.models.model import load_model

IDENTIFIERS = [[10, 20], [10, 21], [11, 20]]


@pytest.fixture
def head():
    made = DenseHead.started(IDENTIFIERS, [12], width=4, seed=3)
    with torch.no_grad():
        made.own.copy_(torch.arange(12.0).reshape(3, 4))
        made.codes.copy_(torch.arange(24.0).reshape(6, 4) * 10)
    return made


def test_a_row_is_the_items_own_and_those_of_its_tokens(head):
    assert head.tokens.tolist() == [10, 11, 12, 20, 21]
    rows = head.rows(head.written(IDENTIFIERS))
    wanted = head.own[2] + head.codes[1] + head.codes[3]
    assert rows[2].tolist() == wanted.tolist()
    assert head.rows(head.written(IDENTIFIERS), torch.tensor([2, 0])).tolist() == rows[[2, 0]].tolist()


def test_an_item_that_came_later_is_told_by_its_tokens_and_unknown_tokens_count_nothing(head):
    written = head.written([*IDENTIFIERS, [12, 21], [12, 99], [10]])
    rows = head.rows(written)
    assert rows[3].tolist() == (head.codes[2] + head.codes[4]).tolist()
    assert rows[4].tolist() == head.codes[2].tolist()
    assert rows[5].tolist() == head.codes[0].tolist()
    assert head.rows(written, torch.tensor([4]))[0].tolist() == rows[4].tolist()


def test_given_vectors_are_what_rows_add_up_to_and_tokens_carry_what_items_share():
    vectors = np.array([[1, 2, 0], [3, 2, 0], [0, 0, 0]], dtype=np.float32)
    made = DenseHead.started(IDENTIFIERS, [], width=4, seed=3, vectors=vectors)
    rows = made.rows(made.written(IDENTIFIERS))
    assert rows[:2].detach().numpy() == pytest.approx(np.pad(vectors, ((0, 0), (0, 1)))[:2], abs=1e-6)
    assert 0 < float(rows[2].detach().abs().max()) < 0.2  # no vector: at random
    assert made.codes[0].tolist() == pytest.approx([2, 2, 0, 0])  # token 10 is on the first two


def test_each_token_takes_the_mean_of_what_is_left_over():
    rows = torch.tensor([[1.0], [3.0], [10.0]])
    codes, own = shared_parts(rows, torch.tensor([[0, 2], [0, 3], [1, 2]]), tokens=5)
    assert codes[:, 0].tolist() == [2.0, 10.0, -0.5, 1.0, 0.0]
    assert own[:, 0].tolist() == [-0.5, 0.0, 0.5]


def test_log_softmax_is_over_all_items(head):
    states = torch.tensor([[0.1, 0.0, -0.2, 0.0]])
    rows: Tensor = head.rows(head.written(IDENTIFIERS))
    wanted = torch.log_softmax(states @ rows.T, dim=1)
    assert head.log_softmax(states, rows)[0].tolist() == pytest.approx(wanted[0].tolist())


def test_a_model_keeps_its_head_in_a_file_of_its_own(catalogue, tmp_path):
    model = TinyCausal(hidden=32, layers=1, heads=2, intermediate=48, device="cpu").build(
        catalogue, Context()
    )
    assert model.dense is None
    made = DenseHead.started(IDENTIFIERS, [], int(model.network.config.hidden_size), seed=1)
    attach(model.network, made)
    model.save(tmp_path)
    assert dense_head(model.network) is made  # saving leaves it where it was
    again = load_model(tmp_path, device="cpu")
    assert again.dense is not None
    for name, value in made.state_dict().items():
        assert torch.equal(again.dense.state_dict()[name], value), name
    assert not any("genrec_dense" in name for name in load_file(tmp_path / "model.safetensors"))
