"""Drift of popularity between the validation and the test period."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_rows import labelled_view

from genrec_core.evaluation.evaluate import popularity_drift


def period(targets, start, step=1.0):
    times = start + step * np.arange(len(targets), dtype=np.float64)
    return labelled_view([[0]] * len(targets), targets, times=times)


def test_the_distance_is_the_share_of_choices_that_moved_to_other_items():
    found = popularity_drift(period([0, 0, 0, 1], 10), period([0, 1, 1, 1], 20), 2)
    assert found["distance"] == pytest.approx(0.5)
    assert (found["valid_period"], found["test_period"]) == ([10.0, 13.0], [20.0, 23.0])


def test_periods_of_one_distribution_are_as_far_apart_as_chance_puts_them():
    generator = np.random.default_rng(1)
    rows = [generator.integers(0, 50, 400).tolist() for _ in range(2)]
    found = popularity_drift(period(rows[0], 0), period(rows[1], 1000), 50)
    assert found["distance"] == pytest.approx(found["by_chance"], abs=0.04)


@pytest.mark.parametrize(
    ("valid", "test"),
    [
        (labelled_view([[0]], [1]), labelled_view([[0]], [1])),
        (period([0, 1], 0), labelled_view([[0]], [1])),
        (period([0, 1], 0, step=9.0), period([0, 1], 5)),
        (period([0], float("nan")), period([0], 5)),
        (period([], 0), period([0], 5)),
    ],
    ids=["no times", "no test times", "periods that overlap", "an unknown time", "no rows"],
)
def test_without_two_periods_there_is_nothing_to_say(valid, test):
    assert popularity_drift(valid, test, 2) == {}
