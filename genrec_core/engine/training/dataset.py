"""Dataset: rendered samples in flat arrays, and the mixture an epoch draws from them.

Samples are rendered once, before training, into int32 arrays cut by offsets: two hundred thousand samples
of a hundred tokens take a hundred megabytes, not the gigabytes of Python lists.

An epoch takes every sample of a corpus of weight 1 once. Weight 2 takes each twice; weight 0.5 takes a
random half, a fresh one every epoch; weight 2.5 takes each twice and a fresh random half besides. The draw
depends on the seed and the number of the epoch alone, so a resumed run sees what an uninterrupted one does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.samples import Sample
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.legal import target_nodes
from genrec_core.identifiers.trie import Trie

CHUNK = 4096
"""Samples rendered between two steps of the progress bar."""


@dataclass(frozen=True)
class Table:
    """S rendered samples.

    Attributes:
        ids: int32 [total], token ids, samples after one another.
        learn: bool [total], beside `ids`.
        nodes: int32 [total], beside `ids`: the node of the identifiers' trie that a learnt token leads to;
            -1 for tokens that no trie restricts. See `legal`.
        offsets: int64 [S + 1]; sample s is `ids[offsets[s]:offsets[s + 1]]`.
        prompts: int32 [S], length of each prompt.
        weights: float32 [S], how much each sample counts in the loss.
    """

    ids: NDArray[np.int32]
    learn: NDArray[np.bool_]
    nodes: NDArray[np.int32]
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
        for array in (self.ids, self.learn, self.nodes, self.offsets, self.prompts, self.weights):
            body.update(array.tobytes())
        return body.hexdigest()

    def subset(self, rows: Sequence[int] | NDArray[np.int64]) -> Table:
        """Only these samples, in the order given."""
        parts = [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]
        return Table(
            ids=np.concatenate([self.ids[part] for part in parts] or [self.ids[:0]]),
            learn=np.concatenate([self.learn[part] for part in parts] or [self.learn[:0]]),
            nodes=np.concatenate([self.nodes[part] for part in parts] or [self.nodes[:0]]),
            offsets=_offsets([part.stop - part.start for part in parts]),
            prompts=self.prompts[rows],
            weights=self.weights[rows],
        )


def rendered_table(
    samples: Iterable[Sample], renderer: Renderer, context: Context, what: str, trie: Trie | None = None
) -> Table:
    """Render samples; those without anything to learn are kept, so that counts stay true.

    Args:
        samples: in the order the table keeps.
        renderer: for the model to train.
        context: shows progress.
        what: name of the corpus, for the progress bar.
        trie: of the identifiers; without one no token is restricted.
    """
    ids, learn = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.bool_)]
    lengths: list[int] = []
    prompts: list[int] = []
    weights: list[float] = []
    starts: list[int] = []
    total = 0
    with context.progress(f"rendering {what}") as advance:
        for sample in samples:
            rendered = renderer.rendered(sample)
            ids.append(np.array(rendered.ids, dtype=np.int32))
            learn.append(np.array(rendered.learn, dtype=np.bool_))
            starts += [total + place for place in rendered.starts]
            total += len(rendered.ids)
            lengths.append(len(rendered.ids))
            prompts.append(rendered.prompt_length)
            weights.append(sample.weight)
            if len(lengths) % CHUNK == 0:
                ids, learn = [np.concatenate(ids)], [np.concatenate(learn)]
                advance(CHUNK)
    flat, learnt = np.concatenate(ids), np.concatenate(learn)
    return Table(
        ids=flat,
        learn=learnt,
        nodes=np.full(total, -1, dtype=np.int32)
        if trie is None
        else target_nodes(trie, flat, learnt, starts),
        offsets=_offsets(lengths),
        prompts=np.array(prompts, dtype=np.int32),
        weights=np.array(weights, dtype=np.float32),
    )


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

    table: Table
    sizes: tuple[int, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, tables: Sequence[Table], weights: Sequence[float]) -> Mixture:
        """From one table a corpus."""
        joined = Table(
            ids=np.concatenate([table.ids for table in tables]),
            learn=np.concatenate([table.learn for table in tables]),
            nodes=np.concatenate([table.nodes for table in tables]),
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
