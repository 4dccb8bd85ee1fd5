"""Advantages: how much better a rollout is than its group.

A reward minus its group's mean, divided by the group's standard deviation. A group whose rewards are all the
same has no signal, and its advantages are exactly 0, not a quotient of rounding errors.

    >>> [round(value, 3) for value in advantages([1.1, 0.6, 0.35, 0.1], "population")]
    [1.521, 0.169, -0.507, -1.183]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genrec_core.engine.rl.settings import Spread

NOTHING = 1e-9
"""A standard deviation below this share of the largest reward is rounding, not signal."""


def advantages(rewards: Sequence[float], std: Spread = "population") -> list[float]:
    """The advantage of each rollout of one group.

    Args:
        rewards: finite, one a rollout; groups may have any size.
        std: `population` divides by the deviation over G, `sample` by that over G − 1, `none` by nothing.
    """
    if len(rewards) < 2:
        return [0.0] * len(rewards)
    values = np.asarray(rewards, dtype=np.float64)
    centred = values - values.mean()
    spread = float(values.std())
    if spread <= NOTHING * max(1.0, float(np.abs(values).max())):
        return [0.0] * len(values)
    divisor = {"population": spread, "sample": float(values.std(ddof=1)), "none": 1.0}[std]
    return [float(value) for value in centred / divisor]
