"""Intervals over users and seeds: by hand, against tables of Student's t, and by how often they hold."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core.evaluation.seeds import seed_differences, seed_intervals, t_probability, t_quantile

PRINTED = {(1, 0.975): 12.706, (2, 0.975): 4.303, (4, 0.975): 2.776, (10, 0.95): 1.812, (30, 0.995): 2.750}
"""Of any table of Student's t: degrees of freedom, probability → quantile."""


@pytest.mark.parametrize(("freedom", "probability"), PRINTED)
def test_quantiles_are_those_of_printed_tables(freedom, probability):
    value = PRINTED[freedom, probability]
    assert t_quantile(probability, freedom) == pytest.approx(value, abs=5e-4)
    assert t_probability(value, freedom) == pytest.approx(probability, abs=5e-5)
    assert t_probability(-value, freedom) == pytest.approx(1 - probability, abs=5e-5)


def test_with_endless_freedom_it_is_the_normal_distribution():
    assert t_quantile(0.975, float("inf")) == pytest.approx(1.959964, abs=1e-6)
    assert t_quantile(0.975, 1e7) == pytest.approx(1.959964, abs=1e-5)
    assert t_quantile(0.5, 3) == pytest.approx(0, abs=1e-7)


def test_two_seeds_and_four_users_by_hand():
    """Hits 1 1 0 0 and 1 0 1 0: seed means .5 .5, user means 1 .5 .5 0.

    V_seeds 0. V_users = (1/6) / 4 = 1/24. Residuals: 0 .5 −.5 0 and their opposites, squares 1 in all,
    over 3 degrees of freedom: V_rest = (1/3) / 8 = 1/24. Variance max(1/24 − 1/24, 1/24) = 1/24; freedom =
    (1/24)² / ((1/24)²/3 + (1/24)²/3) = 1.5.
    """
    ranks = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=np.int32)
    half = t_quantile(0.975, 1.5) * (1 / 24) ** 0.5
    low, high = seed_intervals(ranks, [1])["recall@1"]
    assert (low, high) == pytest.approx((max(0, 0.5 - half), min(1, 0.5 + half)))
    found = seed_differences(ranks, np.zeros_like(ranks), [1], paired=True)["recall@1"]
    assert found.difference == 0.5
    assert found.interval == pytest.approx((0.5 - half, 0.5 + half))
    assert found.p == pytest.approx(2 * (1 - t_probability(0.5 / (1 / 24) ** 0.5, 1.5)))


def test_seeds_that_part_widen_an_interval_that_users_alone_would_leave_narrow():
    users = np.arange(4000) % 100
    same = np.array([users < 30] * 3, dtype=np.int32)
    apart = np.array([users < 20, users < 30, users < 40], dtype=np.int32)
    widths = [np.diff(seed_intervals(ranks, [1])["recall@1"])[0] for ranks in (same, apart)]
    assert widths[0] == pytest.approx(2 * 1.96 * (0.3 * 0.7 / 4000) ** 0.5, rel=0.01)
    assert widths[1] > 2 * t_quantile(0.975, 2) * 0.1 / 3**0.5 * 0.95


def test_one_seed_is_compared_over_users_alone():
    ours, theirs = np.array([[1] * 60 + [0] * 40], dtype=np.int32), np.zeros((1, 100), dtype=np.int32)
    found = seed_differences(ours, theirs, [1], paired=True)["recall@1"]
    half = t_quantile(0.975, 99) * (0.24 / 99) ** 0.5
    assert found.interval == pytest.approx((0.6 - half, 0.6 + half))


def test_equal_runs_do_not_differ():
    ranks = np.array([[1, 0, 3], [2, 0, 0]], dtype=np.int32)
    for found in seed_differences(ranks, ranks, [1, 5], paired=True).values():
        assert (found.difference, found.interval, found.p) == (0, (0, 0), 1)


def test_what_cannot_be_paired_is_refused():
    two, three = np.zeros((2, 5), dtype=np.int32), np.zeros((3, 5), dtype=np.int32)
    with pytest.raises(ValueError, match=r"\[2, 5\] cannot be paired with \[3, 5\]"):
        seed_differences(two, three, [1], paired=True)
    assert seed_differences(two, three, [1], paired=False)["recall@1"].difference == 0
    with pytest.raises(ValueError, match="cannot be paired"):
        seed_differences(two, np.zeros((2, 6), dtype=np.int32), [1], paired=False)


def test_an_interval_needs_two_seeds():
    assert seed_intervals(np.ones((1, 9), dtype=np.int32), [1]) == {}


@pytest.mark.parametrize("paired", [True, False])
def test_intervals_of_three_seeds_hold_about_as_often_as_they_say(paired):
    """Two systems that are the same but for their seeds; 0 should lie in 95 of 100 intervals."""
    generator, held = np.random.default_rng(4), 0
    for _ in range(120):
        users = generator.normal(-1, 1, 150)

        def hits(users=users):
            seeds = generator.normal(0, 0.2, (3, 1))
            return (generator.random((3, 150)) < 1 / (1 + np.exp(-users - seeds))).astype(np.int32)

        low, high = seed_differences(hits(), hits(), [1], paired=paired)["recall@1"].interval
        held += low <= 0 <= high
    assert held / 120 > 0.9
