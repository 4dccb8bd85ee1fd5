"""Rewards and advantages: a group's scores from one or several rewards, and what they are worth to the loss.

Rewards are added with weights. An advantage is a reward minus its group's mean, divided by the group's
standard deviation. A group whose rewards are all the same has no signal, and its advantages are exactly 0,
not a quotient of rounding errors.

    >>> [round(value, 3) for value in advantages([1.1, 0.6, 0.35, 0.1], "population")]
    [1.521, 0.169, -0.507, -1.183]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import StageError
from genrec_core.contracts.reward import Group, Reward
from genrec_core.engine.rl.settings import Spread

NOTHING = 1e-9
"""A standard deviation below this share of the largest reward is rounding, not signal."""


@dataclass(frozen=True)
class RewardMixer:
    """Several rewards, added with weights.

    Attributes:
        rewards: what scores a group.
        weights: one each; empty for 1 each.
    """

    rewards: tuple[Reward, ...]
    weights: tuple[float, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """A distinct name of each reward, for reports."""
        names: list[str] = []
        for reward in self.rewards:
            taken = sum(name.split(" ")[0] == reward.name for name in names)
            names.append(f"{reward.name} {taken + 1}" if taken else reward.name)
        return tuple(names)

    def scores(
        self, group: Group, catalogue: Catalogue, context: Context
    ) -> tuple[list[float], dict[str, list[float]]]:
        """The weighted sum of a group's scores, and every reward's own, unweighted.

        Raises:
            StageError: a reward gave something else than one finite number a rollout.
        """
        parts = {}
        totals = [0.0] * len(group.rollouts)
        weights = self.weights or (1.0,) * len(self.rewards)
        for name, reward, weight in zip(self.names, self.rewards, weights, strict=True):
            scores = [float(score) for score in reward.score(group, catalogue, context)]
            if len(scores) != len(group.rollouts) or not all(map(math.isfinite, scores)):
                raise StageError(
                    f"reward `{reward.name}` gave `{scores}` for {len(group.rollouts)} rollouts",
                    hint="a reward gives one finite number a rollout; `genrec check-plugin` tests it",
                )
            parts[name] = scores
            totals = [total + weight * score for total, score in zip(totals, scores, strict=True)]
        return totals, parts


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
