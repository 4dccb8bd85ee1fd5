"""Intervals: how far a metric could have come out otherwise, by bootstrap over the test examples.

Drawing U examples with replacement changes nothing but how often each rank occurs, and those counts follow
a multinomial distribution. So a resample is one draw of `depth + 1` numbers instead of U: the *same*
bootstrap, at a cost that does not grow with the users. For the difference of two systems on the same
examples the cells are the pairs (rank in A, rank in B) that occur.

    ranks [1, 0, 0, 3] → cells {0: 2, 1: 1, 3: 1}; a resample may be {0: 1, 1: 2, 3: 1}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.evaluation.metrics import histogram, worth

COVERED = (2.5, 97.5)
"""Percentiles between which 95 % of the resamples lie."""


@dataclass(frozen=True)
class PairedDifference:
    """How much system A is ahead of system B in one metric.

    Attributes:
        difference: A minus B, on the examples as they are.
        interval: the middle 95 % of the resampled differences.
        p: two-sided; how often resampling would turn the sign, never below 1 / (resamples + 1).
    """

    difference: float
    interval: tuple[float, float]
    p: float

    def plain(self) -> dict[str, object]:
        """As `metrics.json` holds it."""
        return {"difference": self.difference, "interval": list(self.interval), "p": self.p}


def intervals(
    ranks: NDArray[np.int32], at: Sequence[int], resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Metric name → 95 % interval; empty without examples or without resamples."""
    if not len(ranks) or not resamples:
        return {}
    cells = histogram(ranks, max(at))
    drawn = _drawn(cells, resamples, seed)
    return {name: _middle(drawn @ weights) for name, weights in worth(at).items()}


def differences(
    ours: NDArray[np.int32],
    theirs: NDArray[np.int32],
    at: Sequence[int],
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, PairedDifference]:
    """Metric name → paired difference of two systems, whose ranks stand in the same order of examples.

    Raises:
        ValueError: the systems were not evaluated on the same number of examples.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours):,} ranks cannot be paired with {len(theirs):,}")
    if not len(ours) or not resamples:
        return {}
    depth = max(at)
    mine, other = (np.where(ranks > depth, 0, ranks).astype(np.int64) for ranks in (ours, theirs))
    pairs, cells = np.unique(mine * (depth + 1) + other, return_counts=True)
    drawn = _drawn(cells, resamples, seed)
    found = {}
    for name, weights in worth(at).items():
        gain = weights[pairs // (depth + 1)] - weights[pairs % (depth + 1)]
        resampled = drawn @ gain
        found[name] = PairedDifference(
            float(cells @ gain / len(ours)), _middle(resampled), _two_sided(resampled)
        )
    return found


def _drawn(cells: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Shares of each cell in each resample, float64 [resamples, cells]."""
    total = int(cells.sum())
    generator = np.random.default_rng([seed, total])
    return np.asarray(generator.multinomial(total, cells / total, size=resamples) / total)


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, COVERED)
    return float(low), float(high)


def _two_sided(differences: NDArray[np.float64]) -> float:
    count = len(differences) + 1
    below, above = (differences <= 0).sum() + 1, (differences >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / count))


def across_seeds(metrics: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float | int]]:
    """Mean, sample standard deviation (0 for a single seed), smallest, largest and count of each metric.

    The spread over seeds says how much training and generation vary; a bootstrap interval says how much the
    choice of test users does. Reports give both.

    >>> across_seeds([{"recall@10": 0.1}, {"recall@10": 0.2}])["recall@10"]["mean"]
    0.15000000000000002

    Metrics that some seed lacks are left out: a mean over fewer seeds would not compare.
    """
    shared = [name for name in (metrics[0] if metrics else {}) if all(name in one for one in metrics)]
    return {name: _spread([float(one[name]) for one in metrics]) for name in shared}


def _spread(values: Sequence[float]) -> dict[str, float | int]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "min": min(values),
        "max": max(values),
        "n": len(values),
    }
