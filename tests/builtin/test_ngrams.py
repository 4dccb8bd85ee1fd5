"""core/ngrams: like texts are near, results repeat, odd texts do no harm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.builtin.ngrams import NGrams, _strongest, _weighted
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items

COLOURS, THINGS = ("red", "blue", "green", "yellow"), ("tent", "lamp", "kettle", "guitar", "shampoo")
TEXTS = [f"{colour} {thing}" for colour in COLOURS for thing in THINGS]


def embedded(encoder, texts, learnt_from=None):
    """Vectors of texts by an encoder that learnt from them, or from others."""
    state = encoder.fit(texts if learnt_from is None else learnt_from, Context())
    return encoder.encode(texts, state, Context())


@pytest.mark.parametrize("basis", ["svd", "random"])
def test_texts_with_the_same_words_are_nearer_than_others(basis):
    vectors = embedded(NGrams(dims=64, basis=basis), ["red tents", "a red tent", "shampoo", *TEXTS])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


@pytest.mark.parametrize("basis", ["svd", "random"])
def test_vectors_are_float32_of_length_one_and_repeat_bit_for_bit(basis):
    encoder = NGrams(dims=16, basis=basis)
    first, second = embedded(encoder, TEXTS), embedded(encoder, TEXTS)
    assert first.dtype == np.float32
    assert first.shape == (len(TEXTS), 16)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert (first == second).all()
    other = embedded(NGrams(dims=16, basis=basis, seed=1), TEXTS)
    assert not np.allclose(first, other, atol=1e-7)


@pytest.mark.parametrize("basis", ["svd", "random"])
@pytest.mark.parametrize("part", [slice(3, 4), slice(2, 11), slice(None, None, -1)])
def test_an_old_text_embedded_again_in_any_company_has_the_same_vector_to_the_bit(basis, part):
    encoder = NGrams(dims=32, basis=basis)
    again = embedded(encoder, TEXTS[part], learnt_from=TEXTS)
    assert (again == embedded(encoder, TEXTS)[part]).all()


def test_a_new_text_lies_near_old_ones_with_the_same_words():
    old = embedded(NGrams(dims=32), TEXTS)
    (new,) = embedded(NGrams(dims=32), ["a purple kettle"], learnt_from=TEXTS)
    nearest = {TEXTS[index].split()[1] for index in np.argsort(-old @ new)[:4]}
    assert nearest == {"kettle"}


def test_a_text_without_any_known_ngram_is_the_zero_vector():
    assert not embedded(NGrams(dims=32), ["xyz"], learnt_from=TEXTS).any()


def test_what_is_kept_is_two_bytes_a_dimension_for_each_column_that_texts_share():
    state = NGrams(dims=8).fit([*TEXTS, "unheard-of"], Context())
    assert set(state) == {"columns", "basis"}
    shared = state["columns"].tolist()
    assert shared == NGrams(dims=8).fit(TEXTS, Context())["columns"].tolist() == sorted(set(shared))
    assert state["basis"].nbytes == len(shared) * 8 * 2
    assert NGrams(basis="random").fit(TEXTS, Context()) == {}


def test_the_svd_keeps_the_similarities_of_the_full_features():
    encoder = NGrams(dims=len(TEXTS))
    vectors = embedded(encoder, TEXTS)
    wide = embedded(NGrams(dims=100), TEXTS)
    _, _, features = _weighted(encoder._features(TEXTS, Context()))
    full = (features @ features.T).toarray()
    np.testing.assert_allclose(vectors @ vectors.T, full, atol=5e-4)
    np.testing.assert_allclose(wide @ wide.T, full, atol=5e-4)
    assert not wide[:, len(TEXTS) :].any()


def test_chunks_change_nothing_but_rounding(monkeypatch):
    whole = embedded(NGrams(dims=16), TEXTS)
    monkeypatch.setattr("genrec_core.builtin.ngrams.TEXTS_AT_ONCE", 3)
    parts = embedded(NGrams(dims=16), TEXTS)
    np.testing.assert_allclose(parts @ parts.T, whole @ whole.T, atol=5e-4)


def test_the_directions_are_those_of_an_exact_svd():
    _, _, features = _weighted(NGrams()._features(TEXTS, Context()))
    left, strengths, _ = np.linalg.svd(features.toarray(), full_matrices=False)
    exact = left[:, :6] * strengths[:6]
    found = features @ _strongest(features, 6, seed=0)
    np.testing.assert_allclose(np.abs((exact * found).sum(axis=0)), strengths[:6] ** 2, rtol=1e-3)


def test_ngrams_stay_within_words_and_texts():
    rows, columns = NGrams(shortest=2, longest=9)._hashed(["ab cd", "ef"])
    # " ab " and its like have 2 + 1 + … grams: sizes 2, 3, 4 give 3, 2 and 1 each.
    assert np.bincount(rows).tolist() == [12, 6]
    alone = np.concatenate([NGrams(shortest=2, longest=9)._hashed([word])[1] for word in ("ab", "cd", "ef")])
    assert sorted(columns.tolist()) == sorted(alone.tolist())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=12), max_size=8), st.sampled_from(["svd", "random"]))
def test_any_texts_give_finite_vectors(texts, basis):
    vectors = embedded(NGrams(dims=8, basis=basis), texts, learnt_from=texts or TEXTS)
    assert vectors.shape == (len(texts), 8)
    assert np.isfinite(vectors).all()


def test_items_are_embedded_by_the_fields_named():
    items = Items(("1", "2"), {"title": ["red tent", "red tent"], "brand": ["alpha", "omega"]})
    assert NGrams(fields=("title",)).texts(items) == ["red tent", "red tent"]
    assert NGrams().texts(items) == ["red tent. alpha", "red tent. omega"]
