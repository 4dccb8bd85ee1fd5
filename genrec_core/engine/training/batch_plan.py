"""Batches: the mixture that an epoch draws from sample tables, its plan, and padded tensors.

An epoch takes every sample of a corpus of weight 1 once. Weight 2 takes each twice; weight 0.5 takes a
random half, a fresh one every epoch; weight 2.5 takes each twice and a fresh random half besides. The draw
depends on the seed and the number of the epoch alone, so a resumed run sees what an uninterrupted one does.

A batch is padded on the right, so a causal model needs no attention mask at all (no position sees what comes
after it), which allows the fast attention kernel; an encoder does get one. Labels are −100 wherever nothing
is learnt: on prompts, between items and on padding.

    samples [1 2 | 3] and [4 | 5 6 7]  → input_ids [1 2 3 0] [4 5 6 7], labels [. . 3 .] [. 5 6 7]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.engine.batches import RowNumbers, by_rows, pooled
from genrec_core.engine.models.model import Family
from genrec_core.engine.training.loss import IGNORED
from genrec_core.engine.training.sample_table import SampleTable, concatenated

_POOLED_BATCHES = 100
"""Batches sorted by length together: more saves padding, fewer is closer to a plain shuffle."""


@dataclass(frozen=True)
class Mixture:
    """Several corpora to draw epochs from.

    Attributes:
        table: all samples, corpora after one another.
        sizes: number of samples of each corpus.
        weights: how often each corpus is drawn an epoch.
    """

    table: SampleTable
    sizes: tuple[int, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, tables: Sequence[SampleTable], weights: Sequence[float]) -> Mixture:
        """From one table a corpus."""
        return cls(concatenated(tables), tuple(map(len, tables)), tuple(weights))

    def epoch(self, number: int, seed: int) -> NDArray[np.int64]:
        """Rows of the table that one epoch takes, corpora after one another, not yet shuffled."""
        return drawn(self.sizes, self.weights, number, seed)


def drawn(sizes: Sequence[int], weights: Sequence[float], number: int, seed: int) -> NDArray[np.int64]:
    """What epoch `number` takes of corpora laid out after one another, not yet shuffled.

    Args:
        sizes: number of samples of each corpus.
        weights: how often each is drawn an epoch.
        number, seed: the draw depends on these alone.
    """
    rows, start = [], 0
    for corpus, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
        every = np.arange(start, start + size, dtype=np.int64)
        rows += [every] * int(weight)
        extra = round((weight - int(weight)) * size)
        generator = np.random.default_rng([seed, number, corpus])
        rows.append(np.sort(generator.choice(every, size=extra, replace=False)))
        start += size
    return np.concatenate(rows)


@dataclass(frozen=True)
class BatchPlan:
    """Every batch of a training run, in order, decided before it starts.

    A plan made beforehand is what makes resuming exact: step n of a resumed run is step n of the plan.

    Attributes:
        batches: rows of the mixture's table for each batch.
        accumulation: batches whose gradients make one step.
        epoch_steps: the step at which each epoch ends.
    """

    batches: tuple[RowNumbers, ...]
    accumulation: int
    epoch_steps: tuple[int, ...]

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return -(-len(self.batches) // self.accumulation)

    def group(self, batch: int) -> tuple[RowNumbers, ...]:
        """All batches that share a step with the given one."""
        start = batch - batch % self.accumulation
        return self.batches[start : start + self.accumulation]

    def first(self, steps: int) -> BatchPlan:
        """The same plan with at most so many steps."""
        if steps >= self.steps:
            return self
        ends = [*(step for step in self.epoch_steps if step < steps), steps]
        return BatchPlan(self.batches[: steps * self.accumulation], self.accumulation, tuple(ends))


def plan_batches(
    mixture: Mixture, *, epochs: int, batch_size: int, tokens: int | None, accumulation: int, seed: int
) -> BatchPlan:
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
    batches: list[RowNumbers] = []
    ends = []
    for epoch in range(epochs):
        generator = np.random.default_rng([seed, epoch, 1 << 20])
        rows = generator.permutation(mixture.epoch(epoch, seed))
        pools = [
            rows[start : start + _POOLED_BATCHES * batch_size]
            for start in range(0, len(rows), _POOLED_BATCHES * batch_size)
        ]
        batches += pooled(pools, lambda pool: by_rows(pool, lengths, batch_size, tokens), generator)
        ends.append(-(-len(batches) // accumulation))
    return BatchPlan(tuple(batches), accumulation, tuple(ends))


class Collator:
    """Makes batches for one family of models.

    Args:
        table: rendered samples.
        family: `causal` or `seq2seq`.
        pad_id: fills short rows.
    """

    def __init__(self, table: SampleTable, family: Family, pad_id: int) -> None:
        self._table, self._family, self._pad_id = table, family, pad_id

    def batch(self, rows: NDArray[np.int64], group: Sequence[NDArray[np.int64]] = ()) -> dict[str, Tensor]:
        """The tensors of a batch.

        Args:
            rows: rows of the table.
            group: all batches of the same optimiser step, this one among them; by default it is alone.

        Returns:
            `input_ids`, `labels` and, beside the labels, `nodes`, `asked` and `items` (int64 [B, T]; T
            differs between inputs and labels for seq2seq, which also has `attention_mask`), `weights`
            (float32 [B]), and `denominator` (float32 scalar): the summed weight of all learnt tokens of the
            step, so that losses of its batches add up to their mean.
        """
        table = self._table
        cuts = []
        for row in rows:
            start, stop = int(table.offsets[row]), int(table.offsets[row + 1])
            cuts.append((start, start + int(table.prompts[row]), stop))
        labels = [np.where(table.learn[a:b], table.ids[a:b], IGNORED) for a, _, b in cuts]
        beside = {
            name: [values[a:b] for a, _, b in cuts]
            for name, values in (("nodes", table.nodes), ("asked", table.asked), ("items", table.items))
        }
        batch: dict[str, Tensor] = {}
        if self._family == "causal":
            batch["input_ids"] = _padded([table.ids[a:b] for a, _, b in cuts], self._pad_id)
            batch["labels"] = _padded(labels, IGNORED)
            batch |= {name: _padded(parts, -1) for name, parts in beside.items()}
        else:
            prompts = [table.ids[a:m] for a, m, _ in cuts]
            batch["input_ids"] = _padded(prompts, self._pad_id)
            batch["attention_mask"] = _padded([np.ones_like(prompt) for prompt in prompts], 0)
            batch["labels"] = _padded(
                [label[m - a :] for label, (a, m, _) in zip(labels, cuts, strict=True)], IGNORED
            )
            batch |= {
                name: _padded([part[m - a :] for part, (a, m, _) in zip(parts, cuts, strict=True)], -1)
                for name, parts in beside.items()
            }
        batch["weights"] = torch.from_numpy(table.weights[rows])
        batch["denominator"] = torch.tensor(sum(map(self._weight, group or [rows])), dtype=torch.float32)
        return batch

    def _weight(self, rows: NDArray[np.int64]) -> float:
        """Summed weight of the learnt tokens of some rows."""
        table = self._table
        learnt = (table.learn[table.offsets[row] : table.offsets[row + 1]].sum() for row in rows)
        return float(sum(count * table.weights[row] for count, row in zip(learnt, rows, strict=True)))


def _padded(rows: Sequence[NDArray[np.int32]], fill: int) -> Tensor:
    """Rows of different lengths as one int64 tensor, filled on the right."""
    padded = np.full((len(rows), max(map(len, rows))), fill, dtype=np.int64)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = values
    return torch.from_numpy(padded)
