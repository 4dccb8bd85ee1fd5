"""`core/popular`."""

from __future__ import annotations

from baseline_data import items, requests, training

from genrec_core.builtin.popular import Popular
from genrec_core.contracts.context import Context


def rank(k: int):
    view = training([3, 3, 1], [1, 3, 0], [2])
    return list(Popular().rank(items(6), view, requests([3], []), k, Context()))


def test_the_most_frequent_items_come_first_and_ties_go_by_index():
    first, second = rank(5)
    assert first.items.tolist() == [3, 1, 0, 2, 4]
    assert first.scores.tolist() == [3, 2, 1, 1, 0]
    assert second.items.tolist() == first.items.tolist()


def test_it_names_fewer_only_when_the_catalogue_is_smaller():
    assert len(rank(50)[0].items) == 6
