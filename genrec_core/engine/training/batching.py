"""Batching: which samples are trained on together, decided for a whole run before it starts.

A plan made beforehand is what makes resuming exact: step n of a resumed run is step n of the plan. Each
epoch is shuffled, cut into pools of some hundred batches, sorted by length within each pool and cut into
batches, whose order is shuffled again. So the rows of a batch have about the same length and little is
spent on padding, while the order stays close to random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.engine.training.dataset import Mixture

POOL = 100
"""Batches sorted together: more saves padding, fewer is closer to a plain shuffle."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Every batch of a training run, in order.

    Attributes:
        batches: rows of the mixture's table for each batch.
        accumulation: batches whose gradients make one step.
        epoch_steps: the step at which each epoch ends.
    """

    batches: tuple[Rows, ...]
    accumulation: int
    epoch_steps: tuple[int, ...]

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return -(-len(self.batches) // self.accumulation)

    def group(self, batch: int) -> tuple[Rows, ...]:
        """All batches that share a step with the given one."""
        start = batch - batch % self.accumulation
        return self.batches[start : start + self.accumulation]


def plan(
    mixture: Mixture, *, epochs: int, batch_size: int, tokens: int | None, accumulation: int, seed: int
) -> Plan:
    """Lay out a training run.

    Args:
        mixture: what to draw from.
        epochs: how many draws.
        batch_size: most samples of a batch.
        tokens: most tokens of a batch, padding included; None for no such bound.
        accumulation: batches a step.
        seed: the plan depends on it and on nothing else that is random.
    """
    lengths = mixture.table.lengths
    batches: list[Rows] = []
    ends = []
    for epoch in range(epochs):
        generator = np.random.default_rng([seed, epoch, 1 << 20])
        rows = generator.permutation(mixture.epoch(epoch, seed))
        made: list[Rows] = []
        for start in range(0, len(rows), POOL * batch_size):
            pool = rows[start : start + POOL * batch_size]
            made += bucketed(pool, lengths, batch_size, tokens)
        batches += [made[place] for place in generator.permutation(len(made))]
        ends.append(-(-len(batches) // accumulation))
    return Plan(tuple(batches), accumulation, tuple(ends))


def bucketed(rows: Rows, lengths: NDArray[np.int64], batch_size: int, tokens: int | None) -> list[Rows]:
    """Batches of rows of similar length, shortest first; a row longer than `tokens` is alone in its batch."""
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    if tokens is None:
        return [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    batches, start = [], 0
    for place in range(1, len(ordered) + 1):
        full = place == len(ordered) or place - start == batch_size
        if full or (place - start + 1) * int(lengths[ordered[place]]) > tokens:
            batches.append(ordered[start:place])
            start = place
    return batches
