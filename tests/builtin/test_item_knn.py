"""`core/item-knn`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from baseline_data import items, ranked, requests, training
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.builtin.item_knn import ItemKNN


def rank(rows, history, k=10, size=5, **options):
    return ranked(ItemKNN(**options), items(size), training(*rows), requests(history), k)[0]


def test_similarity_is_the_cosine_of_the_users_who_chose_both():
    found = rank([[0, 1], [0, 1], [0, 2]], [0], k=2, size=3)
    assert found.items.tolist() == [1, 2]
    assert found.scores.tolist() == pytest.approx([2 / math.sqrt(3 * 2), 1 / math.sqrt(3)])


def test_the_newest_item_counts_most_unless_order_is_ignored():
    rows = [[0, 1], [2, 3]]
    assert rank(rows, [0, 2], size=4).items.tolist()[0] == 3
    assert rank(rows, [0, 2], size=4, recency=1.0).items.tolist()[0] == 1


def test_a_user_who_chose_an_item_twice_counts_once():
    assert rank([[0, 1, 1, 1]], [0], k=1, size=2).scores.tolist() == [1.0]


def test_items_that_no_neighbour_reaches_follow_by_popularity():
    found = rank([[0, 1], [4], [4], [3]], [0], size=5)
    assert found.items.tolist() == [1, 4, 0, 3, 2]
    assert (np.diff(found.scores) <= 0).all()


def test_an_empty_history_gets_the_popular_items():
    assert rank([[3], [3], [1]], [], k=2, size=5).items.tolist() == [3, 1]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_equals_the_dense_formula_in_any_chunking(data):
    rows = data.draw(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=6), min_size=1, max_size=8))
    histories = data.draw(st.lists(st.lists(st.integers(0, 7), max_size=4), min_size=1, max_size=4))
    chunk = data.draw(st.integers(1, 9))
    knn = ItemKNN(chunk=chunk, recency=0.8)
    found = ranked(knn, items(8), training(*rows), requests(*histories), 8)
    chosen = np.zeros((len(rows), 8))
    for user, row in enumerate(rows):
        chosen[user, row] = 1
    norms = np.maximum(1e-9, np.linalg.norm(chosen, axis=0))
    similar = (chosen.T @ chosen) / np.outer(norms, norms)
    np.fill_diagonal(similar, 0)
    for history, answer in zip(histories, found, strict=True):
        scores = sum((0.8**age * similar[item] for age, item in enumerate(reversed(history))), np.zeros(8))
        reached = answer.scores > 0
        np.testing.assert_allclose(answer.scores[reached], np.sort(scores[scores > 0])[::-1], rtol=1e-5)
        np.testing.assert_allclose(scores[answer.items[reached]], answer.scores[reached], rtol=1e-5)
        assert sorted(answer.items.tolist()) == list(range(8))
