"""Seeds: one pipeline judged several times.

The spread over seeds says how much training and generation vary; it is not the bootstrap interval, which
says how much the choice of test users does. Reports give both.

    >>> across_seeds([{"recall@10": 0.1}, {"recall@10": 0.2}])["recall@10"]["mean"]
    0.15000000000000002
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Spread = dict[str, float | int]


def across_seeds(metrics: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Mean, sample standard deviation (0 for a single seed), smallest, largest and count of each metric.

    Metrics that some seed lacks are left out: a mean over fewer seeds would not compare.
    """
    shared = [name for name in (metrics[0] if metrics else {}) if all(name in one for one in metrics)]
    return {name: _spread([float(one[name]) for one in metrics]) for name in shared}


def _spread(values: Sequence[float]) -> Spread:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "min": min(values),
        "max": max(values),
        "n": len(values),
    }
