"""Bootstrap intervals, paired differences, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_rows import int32

from genrec_core.evaluation.intervals import across_seeds, differences, intervals
from genrec_core.evaluation.metrics import accuracy


def some_ranks(users: int, hit_rate: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    ranks = generator.integers(1, 11, users)
    return np.where(generator.random(users) < hit_rate, ranks, 0).astype(np.int32)


def test_the_interval_is_the_one_that_resampling_users_one_by_one_gives():
    ranks = some_ranks(400, 0.3, seed=1)
    generator = np.random.default_rng(2)
    slow = [accuracy(generator.choice(ranks, len(ranks)), [10])["ndcg@10"] for _ in range(2000)]
    fast = intervals(ranks, [10], resamples=2000)["ndcg@10"]
    assert fast == pytest.approx(np.percentile(slow, [2.5, 97.5]), abs=0.004)


def test_the_interval_holds_the_metric_and_narrows_with_users():
    few, many = some_ranks(100, 0.3, seed=3), some_ranks(10_000, 0.3, seed=3)
    for ranks in (few, many):
        low, high = intervals(ranks, [10])["recall@10"]
        assert low <= accuracy(ranks, [10])["recall@10"] <= high
    width = [np.ptp(intervals(ranks, [10])["recall@10"]) for ranks in (few, many)]
    assert width[1] == pytest.approx(width[0] / 10, rel=0.3)


def test_a_seed_fixes_the_interval_and_another_moves_it():
    ranks = some_ranks(300, 0.2, seed=4)
    assert intervals(ranks, [5], seed=1) == intervals(ranks, [5], seed=1)
    assert intervals(ranks, [5], seed=1) != intervals(ranks, [5], seed=2)


def test_without_examples_or_resamples_there_is_no_interval():
    assert intervals(int32(), [5]) == {}
    assert intervals(int32(1, 0), [5], resamples=0) == {}


def test_a_system_does_not_differ_from_itself():
    found = differences(int32(1, 0, 3), int32(1, 0, 3), [5])["recall@5"]
    assert (found.difference, found.interval, found.p) == (0.0, (0.0, 0.0), 1.0)


def test_pairing_finds_a_difference_that_separate_intervals_hide():
    base = some_ranks(2000, 0.3, seed=6)
    better = base.copy()
    better[np.flatnonzero(base == 0)[:30]] = 1
    found = differences(better, base, [10])["recall@10"]
    assert found.difference == pytest.approx(30 / 2000)
    assert found.interval[0] > 0
    assert found.p < 0.01
    assert intervals(better, [10])["recall@10"][0] < intervals(base, [10])["recall@10"][1]


def test_the_difference_changes_sign_with_the_order():
    ours, theirs = some_ranks(500, 0.3, seed=7), some_ranks(500, 0.2, seed=8)
    there, back = differences(ours, theirs, [10]), differences(theirs, ours, [10])
    assert there["mrr"].difference == pytest.approx(-back["mrr"].difference)
    assert there["mrr"].difference == pytest.approx(
        accuracy(ours, [10])["mrr"] - accuracy(theirs, [10])["mrr"]
    )


def test_systems_evaluated_on_other_examples_are_not_paired():
    with pytest.raises(ValueError, match="cannot be paired"):
        differences(int32(1), int32(1, 2), [5])


def test_seeds_give_mean_and_sample_deviation_of_what_all_of_them_measured():
    found = across_seeds([{"recall@10": 0.1, "vr@10": 1.0}, {"recall@10": 0.3}])
    assert found["recall@10"]["mean"] == pytest.approx(0.2)
    assert found["recall@10"]["std"] == pytest.approx(np.std([0.1, 0.3], ddof=1))
    assert found["recall@10"]["n"] == 2
    assert "vr@10" not in found
