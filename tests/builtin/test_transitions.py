"""`core/transitions`."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from baseline_data import items, ranked, requests, training
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.builtin import transitions
from genrec_core.builtin.transitions import Transitions
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items


def scores(rows, history, size=5, catalogue=None, **options):
    catalogue = catalogue or items(size)
    baseline = Transitions(**options)
    state = baseline.fit(catalogue, training(*rows), Context())
    return baseline.open(state, catalogue, Context()).scores(requests(history))[0]


def test_a_pair_counts_one_over_its_distance_and_only_forwards():
    found = scores([[0, 1, 2]], [0])
    assert found[1] == pytest.approx(math.log(2))
    assert found[2] == pytest.approx(math.log(1.5))
    assert scores([[0, 1, 2]], [2]).max() < 0, "nothing followed the last item"


def test_the_item_before_counts_half():
    found = scores([[0, 1], [2, 3]], [0, 2], recency=0.5)
    assert found[3] == pytest.approx(math.log(2))
    assert found[1] == pytest.approx(math.log(2) / 2)


def test_pairs_farther_apart_than_the_window_do_not_count():
    assert scores([[0, 1, 2]], [0], window=1)[2] < 0


def test_a_symmetric_share_counts_the_other_direction():
    assert scores([[0, 1]], [1], symmetric=0.5)[0] == pytest.approx(math.log(1.5))


def test_only_the_most_frequent_successors_are_kept():
    found = scores([[0, 1], [0, 1], [0, 2]], [0], neighbours=1)
    assert found[1] > 0 > found[2]


def test_words_reach_items_that_nobody_chose_and_items_that_came_later():
    catalogue = Items(tuple("abcd"), {"title": ["red tent", "blue rope", "red lamp", "?"]})
    found = scores([[0, 1], [1, 0]], [0], catalogue=catalogue, text={"weight": 1})
    tf = math.log(5 / 3) + 1, math.log(5 / 2) + 1
    assert found[2] == pytest.approx(tf[0] ** 2 / (tf[0] ** 2 + tf[1] ** 2), rel=1e-5)
    assert found[3] < 0, "a text without words is like nothing"
    baseline = Transitions(text={"weight": 1})
    state = baseline.fit(catalogue, training([0, 1]), Context())
    longer = Items((*catalogue.ids, "e"), {"title": [*catalogue.fields["title"], "a red tent"]})
    late = baseline.open(state, longer, Context()).scores(requests([0]))[0]
    assert late[4] == pytest.approx(1.0), "an unknown word adds nothing"


def test_a_catalogue_without_words_is_counted_alone():
    assert scores([[0, 1]], [0]).tolist() == scores([[0, 1]], [0], text=None).tolist()


def test_items_that_nothing_reaches_follow_by_popularity():
    found = ranked(Transitions(), items(5), training([0, 1], [4], [4], [3]), requests([0]), 5)[0]
    assert found.items.tolist() == [1, 4, 0, 3, 2]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_equals_a_naive_loop_in_any_chunking(data):
    size = 7
    rows = data.draw(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=7), min_size=1, max_size=8))
    histories = data.draw(st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=1, max_size=4))
    window, symmetric = data.draw(st.integers(1, 8)), data.draw(st.sampled_from([0.0, 0.25, 1.0]))
    counts = np.zeros((size, size))
    for row in rows:
        for first in range(len(row)):
            for second in range(first + 1, min(len(row), first + window + 1)):
                counts[row[first], row[second]] += 1 / (second - first)
                counts[row[second], row[first]] += symmetric / (second - first)
    repeats = data.draw(st.sampled_from(["counted", "learned"]))
    baseline = Transitions(
        window=window, symmetric=symmetric, recency=0.8, repeats=repeats, chunk=data.draw(st.integers(1, 5))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transitions, "PAIRS", data.draw(st.integers(1, 40)))
        state = baseline.fit(items(size), training(*rows), Context())
    session = baseline.open(state, items(size), Context())
    lowered = float(state["repeats"][0]) if repeats == "learned" else 0.0
    assert lowered <= 0
    found = session.scores(requests(*histories))
    for history, row, answer in zip(histories, found, session.rank(requests(*histories), size), strict=True):
        wanted = sum(
            (0.8**age * np.log1p(counts[i]) for age, i in enumerate(reversed(history))), np.zeros(size)
        )
        held = np.isin(np.arange(size), history) & (lowered < 0)
        reached = (wanted > 0) | held
        wanted = wanted + lowered * held
        np.testing.assert_allclose(row[reached], wanted[reached], rtol=1e-5, atol=1e-6)
        assert (row[~reached] < 0).all()
        np.testing.assert_allclose(row[answer.items], answer.scores, rtol=1e-6)
        assert sorted(answer.items.tolist()) == list(range(size))
        assert (np.diff(answer.scores) <= 0).all()


CHAINS = [[user % 7, (user + 1) % 7, (user + 2) % 7] for user in range(300)]


def test_where_nothing_is_chosen_twice_the_history_stands_behind_what_followed():
    asked = requests([2, 1])
    counted = ranked(Transitions(repeats="counted"), items(9), training(*CHAINS), asked, 9)[0]
    assert counted.items[:2].tolist() == [3, 2]
    found = ranked(Transitions(), items(9), training(*CHAINS), asked, 9)[0]
    assert found.items[:2].tolist() == [3, 4]


def test_repeats_are_as_rare_as_in_training_and_never_raised():
    often = [[0, 0, 0, 1, 1, 1] for _ in range(50)]
    assert Transitions().fit(items(3), training(*often), Context())["repeats"].tolist() == [0.0]
    seldom = [[*row, row[0]] if user % 10 == 0 else row for user, row in enumerate(CHAINS)]
    state = Transitions().fit(items(7), training(*seldom), Context())
    never = Transitions().fit(items(7), training(*CHAINS), Context())
    assert never["repeats"][0] < state["repeats"][0] < 0
    session = Transitions().open(state, items(7), Context())
    shares = []
    for row in seldom:
        for place in range(1, len(row)):
            reached = np.exp(session.reached(requests(row[:place])).toarray()[0])
            reached[reached == 1.0] = 0.0  # not reached
            shares.append(reached[np.unique(row[:place])].sum() / reached.sum())
    assert np.mean(shares) == pytest.approx(30 / 630, rel=0.05)


def test_scores_of_a_row_do_not_depend_on_the_rows_beside_it():
    state = Transitions().fit(items(5), training([0, 1, 2], [2, 3, 4]), Context())
    session = Transitions().open(state, items(5), Context())
    together = session.scores(requests([0], [2], []))
    for row, history in enumerate(([0], [2], [])):
        one = dataclasses.replace(requests([])[0], history=tuple(history))
        assert session.scores([one])[0].tolist() == together[row].tolist()
