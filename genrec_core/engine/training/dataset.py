"""Dataset: rendered samples in flat arrays, the mixture an epoch draws from them, and padded batches.

Samples are rendered once, before training, into int32 arrays cut by offsets: two hundred thousand samples
of a hundred tokens take a hundred megabytes, not the gigabytes of Python lists.

An epoch takes every sample of a corpus of weight 1 once. Weight 2 takes each twice; weight 0.5 takes a
random half, a fresh one every epoch; weight 2.5 takes each twice and a fresh random half besides. The draw
depends on the seed and the number of the epoch alone, so a resumed run sees what an uninterrupted one does.

A batch is padded on the right, so a causal model needs no attention mask at all (no position sees what comes
after it), which allows the fast attention kernel; an encoder does get one. Labels are −100 wherever nothing
is learnt: on prompts, between items and on padding.

    samples [1 2 | 3] and [4 | 5 6 7]  → input_ids [1 2 3 0] [4 5 6 7], labels [. . 3 .] [. 5 6 7]
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.context import Context
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.batches import RowNumbers, by_rows, pooled
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.models.model import Family
from genrec_core.engine.rendering.renderer import Rendered, Renderer
from genrec_core.engine.training.loss import IGNORED, target_nodes

CHUNK = 4096
"""Samples rendered between two steps of the progress bar."""
_Asked = list[tuple[int, ...]]

_POOLED_BATCHES = 100
"""Batches sorted by length together: more saves padding, fewer is closer to a plain shuffle."""


@dataclass(frozen=True)
class SampleTable:
    """S rendered samples.

    Attributes:
        ids: int32 [total], token ids, samples after one another.
        learn: bool [total], beside `ids`.
        nodes: int32 [total], beside `ids`: the node of the identifiers' trie that a learnt token leads to;
            -1 for tokens that no trie restricts. See `loss.target_nodes`.
        asked: int32 [total], beside `ids`: which question to a teacher the token's identifier answers; -1 for
            none.
        items: int32 [total], beside `ids`: the item whose learnt identifier begins there; -1 for none, and
            everywhere where no dense head is trained.
        offsets: int64 [S + 1]; sample s is `ids[offsets[s]:offsets[s + 1]]`.
        prompts: int32 [S], length of each prompt.
        weights: float32 [S], how much each sample counts in the loss.
    """

    ids: NDArray[np.int32]
    learn: NDArray[np.bool_]
    nodes: NDArray[np.int32]
    asked: NDArray[np.int32]
    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    prompts: NDArray[np.int32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sample, int64 [S]."""
        return np.diff(self.offsets)

    @property
    def digest(self) -> str:
        """Hash of everything in the table."""
        body = hashlib.sha256()
        beside = (self.ids, self.learn, self.nodes, self.asked, self.items)
        for array in (*beside, self.offsets, self.prompts, self.weights):
            body.update(array.tobytes())
        return body.hexdigest()

    def subset(self, rows: Sequence[int] | NDArray[np.int64]) -> SampleTable:
        """Only these samples, in the order given."""
        parts = [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]
        return SampleTable(
            ids=np.concatenate([self.ids[part] for part in parts] or [self.ids[:0]]),
            learn=np.concatenate([self.learn[part] for part in parts] or [self.learn[:0]]),
            nodes=np.concatenate([self.nodes[part] for part in parts] or [self.nodes[:0]]),
            asked=np.concatenate([self.asked[part] for part in parts] or [self.asked[:0]]),
            items=np.concatenate([self.items[part] for part in parts] or [self.items[:0]]),
            offsets=_offsets([part.stop - part.start for part in parts]),
            prompts=self.prompts[rows],
            weights=self.weights[rows],
        )


def rendered_table(
    samples: Iterable[Sample],
    renderer: Renderer,
    context: Context,
    what: str,
    tries: AnswerTries | None = None,
    questions: _Asked | None = None,
    *,
    dense: bool = False,
) -> SampleTable:
    """Render samples; those without anything to learn are kept, so that counts stay true.

    Args:
        samples: in the order the table keeps.
        renderer: for the model to train.
        context: shows progress.
        what: name of the corpus, for the progress bar.
        tries: of the identifiers, by how a sample's answer ends; without them no token is restricted.
        questions: grows by the history before each learnt identifier that has one, for a teacher; without it
            nothing is asked.
        dense: whether the table says which items are learnt.
    """
    columns = _Columns(tries, questions, dense=dense)
    with context.progress(f"rendering {what}") as advance:
        for count, sample in enumerate(samples, 1):
            columns.add(sample, renderer.rendered(sample))
            if count % CHUNK == 0:
                columns.pack()
                advance(CHUNK)
    return columns.table()


class _Columns:
    """A table that grows; arguments as for `rendered_table`."""

    def __init__(self, tries: AnswerTries | None, questions: _Asked | None, *, dense: bool) -> None:
        self._tries, self._questions, self._dense = tries, questions, dense
        self._ids, self._learn = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.bool_)]
        self._lengths, self._prompts, self._weights = list[int](), list[int](), list[float]()
        self._starts, self._catalogues = list[int](), list[int]()
        self._asking, self._answers = list[tuple[int, int, int]](), list[tuple[int, int]]()
        self._total = 0

    def add(self, sample: Sample, rendered: Rendered) -> None:
        self._ids.append(np.array(rendered.ids, dtype=np.int32))
        self._learn.append(np.array(rendered.learn, dtype=np.bool_))
        self._starts += [self._total + place for place in rendered.starts]
        if self._tries is not None:
            self._catalogues += [self._tries.catalogue(sample.stop_text)] * len(rendered.starts)
        if self._questions is not None:
            self._asking += _questions(rendered, self._total, self._questions)
        if self._dense:
            self._answers += _answers(rendered, self._total)
        self._total += len(rendered.ids)
        self._lengths.append(len(rendered.ids))
        self._prompts.append(rendered.prompt_length)
        self._weights.append(sample.weight)

    def pack(self) -> None:
        """Join the small arrays of single rows, which take more memory than what they hold."""
        self._ids, self._learn = [np.concatenate(self._ids)], [np.concatenate(self._learn)]

    def table(self) -> SampleTable:
        self.pack()
        (flat,), (learnt,) = self._ids, self._learn
        nodes = np.full(self._total, -1, dtype=np.int32)
        if self._tries is not None and self._starts:
            nodes = target_nodes(self._tries.trie, flat, learnt, self._starts, self._catalogues)
        asked = np.full(self._total, -1, dtype=np.int32)
        for number, start, end in self._asking:
            asked[start:end] = number
        items = np.full(self._total, -1, dtype=np.int32)
        places, chosen = np.array(self._answers, dtype=np.int64).reshape(-1, 2).T
        items[places] = chosen
        return SampleTable(
            ids=flat,
            learn=learnt,
            nodes=nodes,
            asked=asked,
            items=items,
            offsets=_offsets(self._lengths),
            prompts=np.array(self._prompts, dtype=np.int32),
            weights=np.array(self._weights, dtype=np.float32),
        )


def _questions(rendered: Rendered, before: int, questions: _Asked) -> Iterator[tuple[int, int, int]]:
    """Number, beginning and end of each learnt identifier behind a history, which is added to the questions.

    The end token behind an identifier belongs to it; where no trie restricts that, nothing is asked.
    """
    starts, history = set(rendered.starts), ()  # type: set[int], tuple[int, ...]
    for span in rendered.spans:
        if span.item is None or span.form != IDENTIFIER:
            continue
        if span.start in starts and history:
            yield len(questions), before + span.start, before + min(span.end + 1, len(rendered.ids))
            questions.append(history)
        history = (*history, span.item)


def _answers(rendered: Rendered, before: int) -> Iterator[tuple[int, int]]:
    """Where each learnt identifier begins, and its item."""
    starts = set(rendered.starts)
    for span in rendered.spans:
        if span.item is not None and span.form == IDENTIFIER and span.start in starts:
            yield before + span.start, span.item


def _offsets(lengths: Sequence[int]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


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
        joined = SampleTable(
            ids=np.concatenate([table.ids for table in tables]),
            learn=np.concatenate([table.learn for table in tables]),
            nodes=np.concatenate([table.nodes for table in tables]),
            asked=np.concatenate([table.asked for table in tables]),
            items=np.concatenate([table.items for table in tables]),
            offsets=_offsets(np.concatenate([table.lengths for table in tables]).tolist()),
            prompts=np.concatenate([table.prompts for table in tables]),
            weights=np.concatenate([table.weights for table in tables]),
        )
        return cls(joined, tuple(map(len, tables)), tuple(weights))

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
