"""Seeds: how far a mean over seeds, or the difference of two, could have come out otherwise.

Each seed trains another model, and each test user is another draw from all users; both are samples. With
values x[s, u] of S seeds and U users (what the rank of user u under seed s is worth) the mean varies by

    V_seeds = var(seed means) / S        V_users = var(user means) / U        V_rest = residual / (S U)
    variance of the mean = V_seeds + V_users − V_rest, and at least the larger of the first two

where the rest, which both of the others contain, is taken out once. The interval is that of Student's t with
the degrees of freedom of Satterthwaite: with three seeds that differ, near 2, where t is 4.3 and not 2.0.
A bootstrap over three seeds would give intervals that are far too narrow.

Two systems are paired over users, who are the same, and over seeds where both ran with the same ones: then x
is the difference. Otherwise each has its own V_seeds.

    >>> round(t_quantile(0.975, 2), 3), round(t_quantile(0.975, 1e6), 3)
    (4.303, 1.96)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.evaluation.intervals import PairedDifference
from genrec_core.evaluation.metrics import worth

_COVERED = 0.95
_EXACT = 1e-12
"""Changes of the continued fraction below this are none."""

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class _Variances:
    """Of one mean: by seeds, by users, and what both of these contain; with their degrees of freedom."""

    seeds: float
    users: float
    rest: float
    seed_freedom: float
    user_freedom: float

    @property
    def total(self) -> float:
        """The variance of the mean."""
        return max(self.seeds + self.users - self.rest, self.seeds, self.users)

    @property
    def freedom(self) -> float:
        """Satterthwaite's degrees of freedom."""
        parts = (
            (self.seeds, self.seed_freedom),
            (self.users, self.user_freedom),
            (self.rest, self.seed_freedom * self.user_freedom),
        )
        below = sum(value**2 / freedom for value, freedom in parts if freedom)
        return float(self.total**2 / below) if below else math.inf


def seed_intervals(ranks: NDArray[np.int32], at: Sequence[int]) -> dict[str, tuple[float, float]]:
    """Metric name → 95 % interval of its mean over users and seeds.

    Args:
        ranks: int32 [S, U], 0 = not found; two seeds at least, else there is nothing to learn about seeds.
        at: cut-offs.
    """
    if len(ranks) < 2 or not ranks.shape[1]:
        return {}
    found = {}
    for name, weights in worth(at).items():
        values = _values(ranks, weights, at)
        low, high = _student(float(values.mean()), _variances(values)).interval
        found[name] = max(low, 0.0), min(high, 1.0)
    return found


def seed_differences(
    ours: NDArray[np.int32], theirs: NDArray[np.int32], at: Sequence[int], *, paired: bool
) -> dict[str, PairedDifference]:
    """Metric name → difference of two means over users and seeds.

    Args:
        ours: int32 [S, U], 0 = not found.
        theirs: int32 [T, U], of the same users in the same order.
        at: cut-offs.
        paired: seed s of one belongs to seed s of the other.

    Raises:
        ValueError: another number of users, or of seeds that are to be paired.
    """
    if ours.shape[1] != theirs.shape[1] or (paired and len(ours) != len(theirs)):
        raise ValueError(f"ranks {list(ours.shape)} cannot be paired with {list(theirs.shape)}")
    if not ours.shape[1]:
        return {}
    found = {}
    for name, weights in worth(at).items():
        mine, other = _values(ours, weights, at), _values(theirs, weights, at)
        if paired:
            values = mine - other
            found[name] = _student(float(values.mean()), _variances(values))
        else:
            found[name] = _student(float(mine.mean() - other.mean()), _unpaired(mine, other))
    return found


def _values(ranks: NDArray[np.int32], weights: _Values, at: Sequence[int]) -> _Values:
    return np.asarray(weights[np.where(ranks > max(at), 0, ranks)])


def _variances(values: _Values) -> _Variances:
    seeds, users = values.shape
    by_seed, by_user = values.mean(axis=1), values.mean(axis=0)
    rest = _residual(values) / (seeds * users)
    by_seeds = float(by_seed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    by_users = float(by_user.var(ddof=1)) / users if users > 1 else 0.0
    return _Variances(by_seeds, by_users, rest, seeds - 1, users - 1)


def _unpaired(ours: _Values, theirs: _Values) -> _Variances:
    """Of a difference over the same users and different seeds."""
    apart = [_variances(values) for values in (ours, theirs)]
    users = ours.shape[1]
    by_user = ours.mean(axis=0) - theirs.mean(axis=0)
    by_seeds = sum(one.seeds for one in apart)
    below = sum(one.seeds**2 / one.seed_freedom for one in apart if one.seed_freedom)
    freedom = by_seeds**2 / below if below else 0.0
    by_users = float(by_user.var(ddof=1)) / users if users > 1 else 0.0
    return _Variances(by_seeds, by_users, sum(one.rest for one in apart), freedom, users - 1)


def _residual(values: _Values) -> float:
    """Mean square of what neither a seed nor a user explains."""
    seeds, users = values.shape
    if seeds < 2 or users < 2:
        return 0.0
    left = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    return float(np.square(left).sum() / ((seeds - 1) * (users - 1)))


def _student(mean: float, found: _Variances) -> PairedDifference:
    error, freedom = math.sqrt(found.total), found.freedom
    if not error:
        return PairedDifference(mean, (mean, mean), 1.0 if not mean else 0.0)
    half = error * t_quantile(0.5 + _COVERED / 2, freedom)
    p = 2 * (1 - t_probability(abs(mean) / error, freedom))
    return PairedDifference(mean, (mean - half, mean + half), min(1.0, max(0.0, p)))


def t_probability(t: float, freedom: float) -> float:
    """How probable a value below `t` is under Student's t with these degrees of freedom."""
    if math.isinf(freedom):
        return 0.5 * math.erfc(-t / math.sqrt(2))
    beyond = 0.5 * _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))
    return 1 - beyond if t > 0 else beyond


def t_quantile(probability: float, freedom: float) -> float:
    """The value below which a share of Student's t lies."""
    low, high = -1.0, 1.0
    while t_probability(high, freedom) < probability:
        high *= 2
    while t_probability(low, freedom) > probability:
        low *= 2
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, evaluated from the front (Lentz)."""
    tiny = 1e-300
    above, below = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = below
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            below = 1 / (1 + step * below or tiny)
            above = 1 + step / above or tiny
            value *= above * below
        if abs(above * below - 1) < _EXACT:
            break
    return value
