"""Sample tables: rendered samples in flat arrays.

Samples are rendered once, before training, into int32 arrays cut by offsets: two hundred thousand samples
of a hundred tokens take a hundred megabytes, not the gigabytes of Python lists.

    samples [1 2 | 3] and [4 | 5 6 7]  → ids 1 2 3 4 5 6 7, offsets 0 3 7, prompts 2 1, learn . . x . x x x
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.rendering.renderer import Rendered, Renderer
from genrec_core.engine.training.loss import target_nodes

CHUNK = 4096
"""Samples rendered between two steps of the progress bar."""
_BESIDE = ("ids", "learn", "nodes", "asked", "items")
"""Columns of a table with an entry a token."""
_Asked = list[tuple[int, ...]]


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
        for name in (*_BESIDE, "offsets", "prompts", "weights"):
            body.update(getattr(self, name).tobytes())
        return body.hexdigest()

    def subset(self, rows: Sequence[int] | NDArray[np.int64]) -> SampleTable:
        """Only these samples, in the order given."""
        parts = [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]
        columns = {name: getattr(self, name) for name in _BESIDE}
        return SampleTable(
            **{
                name: np.concatenate([column[part] for part in parts] or [column[:0]])
                for name, column in columns.items()
            },
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


def concatenated(tables: Sequence[SampleTable]) -> SampleTable:
    """The samples of several tables after one another."""
    return SampleTable(
        **{name: np.concatenate([getattr(table, name) for table in tables]) for name in _BESIDE},
        offsets=_offsets(np.concatenate([table.lengths for table in tables]).tolist()),
        prompts=np.concatenate([table.prompts for table in tables]),
        weights=np.concatenate([table.weights for table in tables]),
    )
