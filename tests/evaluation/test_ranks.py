"""Ranks, honest and inflated, against cases worked by hand and against the obvious loop."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_rows import int32, naive_rank, ranked, table
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.views import View
from genrec_core.evaluation.metrics import identifier_groups, ranks_of
from genrec_core.evaluation.rankings import Rankings, depth_needed, without_viewed


def test_a_target_that_is_not_in_the_ranking_has_rank_zero():
    assert ranks_of(table([3, 1, 2], [3, 1, 2]), int32(2, 7)).honest.tolist() == [3, 0]


def test_an_empty_ranking_finds_nothing_and_padding_is_no_item():
    assert ranks_of(table([], [0]), int32(0, 0)).honest.tolist() == [0, 1]


def test_items_of_one_beam_share_one_place_in_the_inflated_rank():
    # GRLM 1.6 check 7: A and B on one identifier, then C. Target B: second honestly, first by its beam.
    rankings = Rankings.of([ranked([0, 1, 2], beams=[0, 0, 1])] * 2, 10)
    ranks = ranks_of(rankings, int32(1, 2), groups=int32(0, 0, 1))
    assert ranks.honest.tolist() == [2, 3]
    assert ranks.inflated.tolist() == [1, 2]


def test_a_policy_that_keeps_only_the_first_item_misses_honestly_and_hits_by_identifier():
    rankings = Rankings.of([ranked([0, 2], beams=[0, 1])], 10)
    ranks = ranks_of(rankings, int32(1), groups=int32(0, 0, 1))
    assert (ranks.honest.tolist(), ranks.inflated.tolist()) == ([0], [1])


def test_a_crowded_identifier_cannot_push_later_beams_out_of_the_inflated_figure():
    crowd = ranked([0, 1, 2, 3, 4, 5], beams=[0, 0, 0, 0, 0, 1])
    ranks = ranks_of(Rankings.of([crowd], 2), int32(5), groups=int32(0, 0, 0, 0, 0, 1))
    assert (ranks.honest.tolist(), ranks.inflated.tolist()) == ([0], [2])


def test_items_share_a_group_exactly_when_they_share_an_identifier():
    identifiers = Identifiers.of([("a", "b"), ("a",), ("a", "b"), ("b", "a")])
    assert identifier_groups(identifiers).tolist() == [0, 1, 0, 2]


def test_viewed_items_leave_the_ranking_and_the_rest_moves_up():
    kept = without_viewed(table([5, 6, 7], [5, 6, 7]), Sequences.of([[6, 5], []]))
    assert [row.items.tolist() for row in kept] == [[7], [5, 6, 7]]
    assert kept.top(0).scores.tolist() == [-2.0]


def test_a_beam_keeps_its_place_while_one_of_its_items_is_unseen():
    rankings = Rankings.of([ranked([0, 1, 2], beams=[0, 0, 1])], 3)
    kept = without_viewed(rankings, Sequences.of([[0]]))
    ranks = ranks_of(kept, int32(2), groups=int32(0, 0, 1))
    assert (ranks.honest.tolist(), ranks.inflated.tolist()) == ([2], [2])


def test_requests_can_ask_to_leave_out_the_whole_visible_history_not_the_newest_items_alone():
    view = View("test", ("a", "b"), Sequences.of([[3, 1, 3, 2], []]), int32(0, 0), max_history=1)
    plain, filtered = list(view.requests()), list(view.requests(exclude_viewed=True))
    assert [request.exclude for request in plain] == [(), ()]
    assert [request.exclude for request in filtered] == [(1, 2, 3), ()]
    assert [request.history for request in filtered] == [(2,), ()]


def test_the_depth_to_ask_for_covers_the_longest_history_only_when_the_filter_is_on():
    rows = Sequences.of([[1, 2, 3], [4]])
    assert (depth_needed(10, rows, filter_viewed=True), depth_needed(10, rows, filter_viewed=False)) == (
        13,
        10,
    )


def test_a_ranking_with_an_item_twice_is_refused():
    with pytest.raises(ContractError, match="example 1 names an item twice"):
        table([1, 2], [3, 3])


def test_a_ranking_with_arrays_of_different_lengths_is_refused():
    with pytest.raises(ContractError, match="different lengths"):
        Rankings.of([ranked([1, 2, 3], beams=[0, 1])], 5)


def test_rankings_come_back_from_disk_and_as_single_rows(tmp_path):
    rankings = Rankings.of([ranked([4, 2], beams=[0, 0], candidates=3, invalid=1), ranked([])], 4)
    rankings.save(tmp_path / "rankings.safetensors")
    again = Rankings.load(tmp_path / "rankings.safetensors")
    for name, column in vars(rankings).items():
        np.testing.assert_array_equal(column, getattr(again, name))
        assert column.dtype == getattr(again, name).dtype
    first = again.top(0)
    assert (first.items.tolist(), first.beams.tolist(), first.candidates, first.invalid) == (
        [4, 2],
        [0, 0],
        3,
        1,
    )


def test_chunks_do_not_change_the_table(monkeypatch):
    rows = [ranked([row % 7, 7 + row % 3]) for row in range(23)]
    whole = Rankings.of(rows, 3)
    monkeypatch.setattr("genrec_core.evaluation.rankings._CHUNK", 4)
    monkeypatch.setattr("genrec_core.evaluation.rankings._BLOCK", 5)
    np.testing.assert_array_equal(Rankings.of(iter(rows), 3).items, whole.items)
    histories = Sequences.of([[row % 7] for row in range(23)])
    assert (without_viewed(whole, histories).items[:, 0] >= 7).all()


def beams_of_items() -> st.SearchStrategy[list[list[int]]]:
    """Beams in score order, each with the items of one identifier: a random cut of a random item order."""
    return st.tuples(st.permutations(range(12)), st.lists(st.integers(0, 2), min_size=12, max_size=12)).map(
        lambda drawn: _cut(*drawn)
    )


def _cut(order: list[int], breaks: list[int]) -> list[list[int]]:
    beams: list[list[int]] = [[]]
    for item, cut in zip(order, breaks, strict=True):
        if cut and beams[-1]:
            beams.append([])
        beams[-1].append(item)
    return beams


@settings(max_examples=150, deadline=None)
@given(beams_of_items(), st.integers(0, 11), st.sets(st.integers(0, 11)), st.integers(1, 12))
def test_both_ranks_equal_the_obvious_loops(beams, target, viewed, shown):
    groups = np.zeros(12, dtype=np.int32)
    for number, bucket in enumerate(beams):
        groups[bucket] = number
    written = beams[:shown]
    items = [item for bucket in written for item in bucket]
    slots = [number for number, bucket in enumerate(written) for _ in bucket]
    rankings = without_viewed(Rankings.of([ranked(items, beams=slots)], 12), Sequences.of([sorted(viewed)]))
    ranks = ranks_of(rankings, int32(target), groups)
    left = [[item for item in bucket if item not in viewed] for bucket in written]
    assert ranks.honest.tolist() == [naive_rank([item for bucket in left for item in bucket], target)]
    live = [bucket for bucket, rest in zip(written, left, strict=True) if rest]
    by_identifier = [place for place, bucket in enumerate(live, start=1) if target in bucket]
    assert ranks.inflated.tolist() == [by_identifier[0] if by_identifier else 0]
