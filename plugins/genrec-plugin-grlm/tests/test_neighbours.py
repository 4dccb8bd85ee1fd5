"""Neighbours by cosine: exact, approximate, and the recall that says how approximate."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from genrec_plugin_grlm.neighbours import nearest_items

from genrec_core import Context, GenrecError

NEEDS_HNSWLIB = pytest.mark.skipif(
    find_spec("hnswlib") is None, reason="hnswlib is not installed; it needs a C++ compiler"
)


def cloud(items, seed=3):
    generator = np.random.default_rng(seed)
    centres = 3 * generator.standard_normal((20, 16))
    vectors = centres[generator.integers(20, size=items)] + generator.standard_normal((items, 16))
    return vectors.astype(np.float32)


def by_brute_force(vectors, k):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit.astype(np.float64) @ unit.T.astype(np.float64)
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def test_exact_neighbours_are_those_of_brute_force():
    vectors = cloud(1500)
    found = nearest_items(vectors, 7, 10_000, Context())
    assert (found.nearest == by_brute_force(vectors, 7)).mean() > 0.999, (
        "six digits may tie what more would not"
    )
    assert found.recall == 1.0


@NEEDS_HNSWLIB
def test_the_graph_finds_nearly_all_and_says_how_many():
    vectors, lines = cloud(1500), {}
    context = Context(log=lambda event, **values: lines.update({event: values}))
    found = nearest_items(vectors, 5, 0, context)
    true = by_brute_force(vectors, 5)
    recall = np.mean(
        [len(set(a) & set(b)) / 5 for a, b in zip(found.nearest.tolist(), true.tolist(), strict=True)]
    )
    assert recall > 0.95
    assert found.recall == pytest.approx(recall, abs=0.03)
    assert lines["neighbours"] == {"items": 1500, "k": 5, "exact": False, "recall": found.recall}
    again = nearest_items(vectors, 5, 0, Context())
    assert np.array_equal(found.nearest, again.nearest)


def test_a_broken_search_would_be_noticed(monkeypatch):
    """The reported recall is measured, not assumed."""
    from genrec_plugin_grlm import neighbours

    vectors = cloud(400)
    wrong = (np.arange(400)[:, None] + np.arange(1, 6)) % 400
    monkeypatch.setattr(neighbours, "_approximate", lambda unit, k: wrong)
    assert nearest_items(vectors, 5, 0, Context()).recall < 0.3


@pytest.mark.parametrize("exact_below", [pytest.param(0, marks=NEEDS_HNSWLIB), 10_000])
def test_many_copies_leave_nobody_without_neighbours(exact_below):
    vectors = np.repeat(cloud(3), 200, axis=0)
    nearest = nearest_items(vectors, 5, exact_below, Context()).nearest
    assert nearest.shape == (600, 5)
    assert not (nearest == np.arange(600)[:, None]).any()
    assert (nearest // 200 == np.arange(600)[:, None] // 200).all(), "every neighbour is a copy"
    assert all(len(set(row)) == 5 for row in nearest.tolist())


@pytest.mark.parametrize(("items", "k", "width"), [(1, 5, 0), (3, 5, 2), (6, 5, 5)])
def test_there_are_no_more_neighbours_than_other_items(items, k, width):
    assert nearest_items(cloud(items), k, 10_000, Context()).nearest.shape == (items, width)
    if find_spec("hnswlib"):
        assert nearest_items(cloud(items), k, 0, Context()).nearest.shape == (items, width)


def test_an_item_without_text_has_neighbours_too():
    vectors = cloud(30)
    vectors[7] = 0
    nearest = nearest_items(vectors, 3, 10_000, Context()).nearest
    assert nearest[7].tolist() == [0, 1, 2]


def test_without_hnswlib_a_large_catalogue_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(GenrecError, match="found with hnswlib, which is not installed") as caught:
        nearest_items(cloud(30), 3, 0, Context())
    assert "genrec-plugin-grlm[graph]" in caught.value.hint
