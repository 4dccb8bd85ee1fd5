"""`core/popular`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from baseline_data import items, ranked, requests, training

from genrec_core.builtin.popular import DAY, Popular
from genrec_core.contracts.errors import DataError


def rank(k: int):
    view = training([3, 3, 1], [1, 3, 0], [2])
    return ranked(Popular(), items(6), view, requests([3], []), k)


def test_the_most_frequent_items_come_first_and_ties_go_by_index():
    first, second = rank(5)
    assert first.items.tolist() == [3, 1, 0, 2, 4]
    assert first.scores.tolist() == [3, 2, 1, 1, 0]
    assert second.items.tolist() == first.items.tolist()


def test_it_names_fewer_only_when_the_catalogue_is_smaller():
    assert len(rank(50)[0].items) == 6


def test_an_interaction_fades_by_half_in_a_half_life_and_none_after_the_request_counts():
    views = training([3, 5], [4])
    train = dataclasses.replace(views.train, times=np.array([0.0, 10.0, 20.0]) * DAY)
    asked = [
        dataclasses.replace(one, time=day * DAY)
        for one, day in zip(requests([], [], [], []), (20.0, 10.0, 10.5, float("nan")), strict=True)
    ]
    baseline = Popular(half_life=10)
    state = baseline.fit(items(6), dataclasses.replace(views, train=train), None)
    scores = baseline.open(state, items(6), None).scores(asked)
    assert scores[0].tolist() == pytest.approx([0, 0, 0, 0.25, 0, 0.5])
    assert scores[1].tolist() == pytest.approx([0, 0, 0, 0.5, 0, 0])
    assert scores[2].tolist() == pytest.approx([0, 0, 0, 0.5**1.05, 0, 0.5**0.05])
    assert scores[3].tolist() == pytest.approx([0, 0, 0, 0.25, 1, 0.5]), "without a time, the newest"


def test_fading_needs_timestamps():
    with pytest.raises(DataError, match="`half_life: 10` needs timestamps"):
        Popular(half_life=10).fit(items(6), training([3]), None)
