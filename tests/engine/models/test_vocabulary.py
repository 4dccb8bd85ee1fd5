"""New rows start as chosen; old rows keep every bit."""

import dataclasses

import pytest
import torch

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.engine.models.tiny import Shape, tiny_model
from genrec_core.engine.models.vocabulary import extend, matrices

SHAPE = Shape(hidden=32, layers=1, heads=2, intermediate=48, vocabulary=300)


def fresh(catalogue, **changes):
    return tiny_model(catalogue.items, Shape(**{**SHAPE.__dict__, **changes}), device="cpu")


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("initialisation", ["random", "mean", "spelling", "items"])
def test_old_rows_keep_every_bit_and_new_rows_are_finite(catalogue, tie, initialisation):
    model = fresh(catalogue, tie=tie)
    before = [matrix.detach().clone() for matrix in matrices(model.network)]
    ids = extend(model, catalogue, initialisation=initialisation, multiple=64)
    after = matrices(model.network)
    assert len(after) == (1 if tie else 2)
    for old, new in zip(before, after, strict=True):
        assert torch.equal(new[: len(old)], old)
        assert new[ids].isfinite().all()
        assert len(new) % 64 == 0
    assert model.network.config.vocab_size == len(after[0])


def test_random_rows_have_the_spread_of_the_old_ones_and_depend_on_the_seed(catalogue):
    rows = []
    for seed in (1, 1, 2):
        model = fresh(catalogue)
        ids = extend(model, catalogue, initialisation="random", seed=seed)
        rows.append(matrices(model.network)[0][ids].detach())
        old = matrices(model.network)[0][: min(ids)]
        assert rows[-1].std() == pytest.approx(old.std().item(), rel=0.25)
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_mean_rows_are_the_mean(catalogue):
    model = fresh(catalogue)
    old = matrices(model.network)[0].detach().clone()
    ids = extend(model, catalogue, initialisation="mean")
    torch.testing.assert_close(matrices(model.network)[0][ids], old.mean(dim=0).repeat(len(ids), 1))


def test_spelling_rows_are_the_mean_of_the_tokens_own_pieces(catalogue):
    model = fresh(catalogue)
    pieces = model.tokenise(["<b_2>"])[0]
    old = matrices(model.network)[0].detach().clone()
    assert len(pieces) > 1
    ids = extend(model, catalogue, initialisation="spelling")
    row = matrices(model.network)[0][ids[catalogue.identifiers.new_tokens.index("<b_2>")]]
    torch.testing.assert_close(row, old[pieces].mean(dim=0))


def test_items_rows_are_the_mean_of_the_carriers_texts_and_mean_without_carriers(catalogue):
    model = fresh(catalogue)
    pieces = [piece for item in (2, 5) for piece in model.tokenise([catalogue.items.text(item)])[0]]
    old = matrices(model.network)[0].detach().clone()
    ids = extend(model, catalogue, initialisation="items")
    new = matrices(model.network)[0]
    tokens = catalogue.identifiers.new_tokens
    torch.testing.assert_close(new[ids[tokens.index("<b_2>")]], old[pieces].mean(dim=0))
    torch.testing.assert_close(new[ids[tokens.index("<b_3>")]], old.mean(dim=0))


def test_a_token_that_the_model_knows_keeps_its_id_and_row(catalogue):
    model = fresh(catalogue)
    known = model.text_tokenizer.get_vocab()["t"]
    row = matrices(model.network)[0][known].detach().clone()
    words = Catalogue(catalogue.items, Identifiers.of([("t", "new")] * 6, new_tokens=("t", "new")))
    ids = extend(model, words)
    assert ids[0] == known
    assert torch.equal(matrices(model.network)[0][known], row)


def test_spare_rows_of_a_padded_matrix_are_used_before_it_grows(catalogue):
    model = fresh(catalogue)
    extend(
        model, Catalogue(catalogue.items, Identifiers.of([("<x>",)] * 6, new_tokens=("<x>",))), multiple=64
    )
    rows = len(matrices(model.network)[0])
    ids = extend(model, catalogue)
    assert len(matrices(model.network)[0]) == rows
    assert max(ids) < rows


def test_a_token_that_cannot_be_read_as_one_is_refused(catalogue):
    broken = Catalogue(catalogue.items, Identifiers.of([("<|end|>",)] * 6, new_tokens=("<|end|>",)))
    with pytest.raises(GenrecError, match="not read as one token"):
        extend(fresh(catalogue), broken)


@pytest.mark.parametrize("width", [8, 100])
def test_vectors_of_the_tokenizer_keep_their_angles_at_the_size_of_random_rows(catalogue, width):
    tokens = catalogue.identifiers.new_tokens
    vectors = torch.randn(len(tokens), width, generator=torch.Generator().manual_seed(3))
    vectors[0] = 0
    state = {"tokens.vectors": vectors.numpy()}
    named = dataclasses.replace(
        catalogue, identifiers=dataclasses.replace(catalogue.identifiers, state=state)
    )
    model = fresh(named)
    ids = extend(model, named, initialisation="vectors", seed=1)
    rows = matrices(model.network)[0][ids].detach()
    plain = fresh(catalogue)
    random = matrices(plain.network)[0][extend(plain, catalogue, seed=1)].detach()
    assert torch.equal(rows[0], random[0])
    assert rows[1:].square().mean().item() == pytest.approx(random.square().mean().item(), rel=1e-4)
    cosines = torch.nn.functional.cosine_similarity
    first, second = cosines(rows[1:-1], rows[2:]), cosines(vectors[1:-1], vectors[2:])
    if width <= 32:
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)
    else:
        assert torch.corrcoef(torch.stack([first, second]))[0, 1] > 0.2


def test_identifiers_without_vectors_are_told_what_has_them(catalogue):
    with pytest.raises(GenrecError, match="have no vectors to start from"):
        extend(fresh(catalogue), catalogue, initialisation="vectors")
