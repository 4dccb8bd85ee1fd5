"""Drift: how far what users chose had moved from the validation period to the test period.

Where a split cuts at points in time, models are selected on one period and reported on a later one. How far
popularity moved in between says how much of a gap between both figures the data explain:

    targets of validation  a a a b        targets of test  a b b b
    shares                 a 3/4, b 1/4                    a 1/4, b 3/4
    distance               half of |3/4 − 1/4| + |1/4 − 3/4| = 0.5: half of the choices went elsewhere

Small periods differ by chance, so the distance stands beside the one that the same rows have, on average,
when they are dealt to both periods at random.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.views import View

DEALS = 20
"""Random deals that the distance by chance is the mean of."""


def drift(valid: View, test: View, catalogue: int, seed: int = 0) -> dict[str, Any]:
    """Both periods and the distance between the popularity of their targets.

    Args:
        valid: the validation view.
        test: the test view.
        catalogue: N, how many items there are.
        seed: of the random deals.

    Returns:
        `valid_period` and `test_period` (first and last time, seconds), `distance` and `by_chance` (total
        variation, 0 to 1). Empty where times are unknown, or where the periods overlap because the split does
        not cut in time.
    """
    if valid.times is None or test.times is None or valid.targets is None or test.targets is None:
        return {}
    if not len(valid) or not len(test) or not np.isfinite([*valid.times, *test.times]).all():
        return {}
    if valid.times.max() > test.times.min():
        return {}
    both, generator = np.concatenate([valid.targets, test.targets]), np.random.default_rng(seed)
    dealt = []
    for _ in range(DEALS):
        mixed = generator.permutation(both)
        dealt.append(_distance(mixed[: len(valid)], mixed[len(valid) :], catalogue))
    return {
        "valid_period": [float(valid.times.min()), float(valid.times.max())],
        "test_period": [float(test.times.min()), float(test.times.max())],
        "distance": _distance(valid.targets, test.targets, catalogue),
        "by_chance": float(np.mean(dealt)),
    }


def _distance(one: NDArray[np.int32], other: NDArray[np.int32], catalogue: int) -> float:
    """Total variation distance between the shares of each item."""
    shares = [np.bincount(targets, minlength=catalogue) / len(targets) for targets in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
