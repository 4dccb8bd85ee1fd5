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


@pytest.mark.parametrize("basis", ["svd", "random"])
def test_texts_with_the_same_words_are_nearer_than_others(basis):
    vectors = NGrams(dims=64, basis=basis).encode(["red tents", "a red tent", "shampoo", *TEXTS], Context())
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3


@pytest.mark.parametrize("basis", ["svd", "random"])
def test_vectors_are_float32_of_length_one_and_repeat_bit_for_bit(basis):
    encoder = NGrams(dims=16, basis=basis)
    first, second = encoder.encode(TEXTS, Context(seed=1)), encoder.encode(TEXTS, Context(seed=2))
    assert first.dtype == np.float32
    assert first.shape == (len(TEXTS), 16)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert (first == second).all()
    other = NGrams(dims=16, basis=basis, seed=1).encode(TEXTS, Context())
    assert not np.allclose(first, other, atol=1e-7)


def test_a_random_basis_embeds_a_text_alone_as_among_others():
    encoder = NGrams(dims=32, basis="random")
    together = encoder.encode(TEXTS, Context())
    np.testing.assert_allclose(encoder.encode(TEXTS[3:4], Context())[0], together[3], atol=1e-5)


def test_the_svd_keeps_the_similarities_of_the_full_features():
    encoder = NGrams(dims=len(TEXTS))
    vectors = encoder.encode(TEXTS, Context())
    wide = NGrams(dims=100).encode(TEXTS, Context())
    np.testing.assert_allclose(vectors @ vectors.T, wide @ wide.T, atol=1e-4)
    assert not wide[:, len(TEXTS) :].any()


def test_chunks_change_nothing_but_rounding(monkeypatch):
    whole = NGrams(dims=16).encode(TEXTS, Context())
    monkeypatch.setattr("genrec_core.builtin.ngrams.CHUNK", 3)
    parts = NGrams(dims=16).encode(TEXTS, Context())
    np.testing.assert_allclose(parts @ parts.T, whole @ whole.T, atol=1e-5)


def test_the_directions_are_those_of_an_exact_svd():
    features = _weighted(NGrams()._features(TEXTS, Context()))
    left, strengths, _ = np.linalg.svd(features.toarray(), full_matrices=False)
    exact = left[:, :6] * strengths[:6]
    found = _strongest(features, 6, seed=0)
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
    vectors = NGrams(dims=8, basis=basis).encode(texts, Context())
    assert vectors.shape == (len(texts), 8)
    assert np.isfinite(vectors).all()


def test_items_are_embedded_by_the_fields_named():
    items = Items(("1", "2"), {"title": ["red tent", "red tent"], "brand": ["alpha", "omega"]})
    assert NGrams(fields=("title",)).texts(items) == ["red tent", "red tent"]
    assert NGrams().texts(items) == ["red tent. alpha", "red tent. omega"]
