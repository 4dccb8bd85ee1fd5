"""`core/transitions`: what followed what, counted; and which items are described alike.

No training, no torch, seconds on a large catalogue, and stronger than most trained models: the figure that a
generative recommender has to beat. Every ordered pair of one user's history counts 1 over its distance; a
request scores an item by the logarithms of these counts from the items of its history, the newest counting
most:

    history a b c:   C[a, b] += 1   C[b, c] += 1   C[a, c] += 1/2
    score(i | a b c) = ln(1 + C[c, i]) + r · ln(1 + C[b, i]) + r² · ln(1 + C[a, i])
                     + w · (cos(c, i) + q · cos(b, i) + q² · cos(a, i))   with `text`, w its weight

Direction matters: counting a pair both ways (`symmetric: 1`) loses a tenth. Beware of data whose equal times
are ordered by item id, as in many public files: there a part of the direction is the file's
(docs/baselines.md). The cosines are of the items' words weighted by TF-IDF; they reach items that nobody has
chosen yet, new ones included. Items that nothing reaches follow by popularity.

How often people come back to an item that they had is known from training too, and no count of pairs says it.
With `repeats: learned` items of the history are lowered, all by one number, until their share of a softmax
over what is reached is, on average over training rows, their share of what was chosen there:

    nobody ever chose a thing twice   →  the history goes to the end of the list
    every third choice is a refill    →  it stays; nothing is ever raised
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.builtin.item_knn import (
    SparseSession,
    history_weights,
    largest,
    packed_matrix,
    unpacked_matrix,
)
from genrec_core.builtin.repeats import SAMPLE, lowering, repeated_share, training_requests
from genrec_core.contracts.baseline import Baseline, BaselineSession, Fitted
from genrec_core.contracts.context import Advance, Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import Options, operational
from genrec_core.contracts.views import Request, Training, View
from genrec_core.evaluation.slices import popularity_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PAIRS = 1 << 24
"""Pairs counted at a time: bounds memory."""

_CHUNK = 256
"""Training rows at a time that the number for repeated items is learned from."""

_WORD = re.compile(r"\w+")


class TextSimilarity(Options):
    """How alike two items are by their words: the cosine of their TF-IDF vectors."""

    fields: tuple[str, ...] = ()
    """Item fields whose words count; empty means every text field."""
    recency: float = Field(default=0.7, gt=0, le=1)
    """What the item before counts relative to the one after it."""
    weight: float = Field(default=1.5, gt=0)
    """What cosines are multiplied with before they are added to the logarithms of counts. Of 1, 1.5 and 2 the
    default has the highest Recall@10 on the validation rows of Amazon Beauty, Amazon Industrial and MovieLens
    100K; with viewed items filtered, 2 is slightly higher on MovieLens."""


class Transitions(Baseline):
    """Directed counts of pairs inside histories, and similarity of words."""

    seeded = False

    class Options(Baseline.Options):
        """Options of transition counts."""

        recency: float = Field(default=0.6, gt=0, le=1)
        """What the item before counts relative to the one after it. The default has the highest sum of
        Recall@10 on the validation rows of Amazon Beauty, Amazon Industrial and MovieLens 100K."""
        window: int = Field(default=50, ge=1)
        """Largest distance of a pair that is counted."""
        symmetric: float = Field(default=0.0, ge=0, le=1)
        """What a pair counts in the other direction too; 1 ignores direction."""
        neighbours: int = Field(default=1000, ge=1)
        """How many most frequent successors each item keeps."""
        text: TextSimilarity | None = TextSimilarity()
        """Similarity of words; null counts only."""
        repeats: Literal["counted", "learned"] = "learned"
        """`learned` lowers items of the history until they are as rare as repeated choices in training;
        `counted` scores them like all others. Of validation Recall@10 the first has more on Amazon Beauty and
        MovieLens 100K, where nothing is chosen twice, and the same on Amazon Industrial."""
        chunk: int = operational(256, "Requests handled at a time.", ge=1, le=1_000_000)

    options: Options

    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """`counts` int64 [N]; `follows` [N, N], ln(1 + count); with `text`, `words` and `text` [N, words].

        With `repeats: learned` also `repeats`, float32 [1].
        """
        train = training.train.rows
        with context.progress("transitions", len(train.values)) as advance:
            follows = self.counted(train, len(items), advance)
        np.log1p(follows.data, out=follows.data)
        state: dict[str, NDArray[np.generic]] = {
            "counts": popularity_of(training.train, len(items)),
            **packed_matrix("follows", follows),
        }
        if self.options.text is not None:
            state |= _learnt_words(items, self.options.text)
        if self.options.repeats == "learned":
            state["repeats"] = np.zeros(1, dtype=np.float32)
            with self.open(state, items, context) as session:
                assert isinstance(session, _TransitionsSession)
                state["repeats"][:] = _repeats(training.train, session)
        return state

    def counted(self, rows: Sequences, size: int, advance: Advance = lambda steps: None) -> csr_array:
        """Weighted counts float32 [size, size], the largest `neighbours` of each row.

        Rows of the matrix are made in blocks of items whose occurrences have at most `PAIRS` pairs, so memory
        does not grow with the number of all pairs.
        """
        from scipy.sparse import csr_array, vstack

        starts = np.repeat(rows.offsets[:-1], rows.lengths)
        ends = np.repeat(rows.offsets[1:], rows.lengths)
        order = np.argsort(rows.values, kind="stable")
        edges = np.searchsorted(rows.values[order], np.arange(size + 1))
        reach = min(self.options.window, max(1, int(rows.lengths.max(initial=1)) - 1))
        blocks, first = [], 0
        while first < size:
            full = edges[first] + max(1, PAIRS // reach)
            last = max(first + 1, int(np.searchsorted(edges, full, side="right")) - 1)
            places = order[edges[first] : edges[last]]
            block = self._block(rows.values, places, starts[places], ends[places], reach)
            shape = (last - first, size)
            matrix = csr_array((block[2], (block[0] - first, block[1])), shape=shape, dtype=np.float32)
            matrix.sum_duplicates()
            blocks.append(largest(matrix, self.options.neighbours))
            advance(len(places))
            first = last
        return vstack(blocks, format="csr") if blocks else csr_array((size, size), dtype=np.float32)

    def _block(
        self,
        values: NDArray[np.int32],
        places: NDArray[np.int64],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        reach: int,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """The item at each place, what stands up to `reach` away from it, and what the pair counts."""
        before, after, weights = [], [], []
        directions = [(1, 1.0)] + ([(-1, self.options.symmetric)] if self.options.symmetric else [])
        for distance in range(1, reach + 1):
            for sign, share in directions:
                there = places + sign * distance
                inside = there < ends if sign > 0 else there >= starts
                before.append(values[places[inside]])
                after.append(values[there[inside]])
                weights.append(np.full(len(before[-1]), share / distance, dtype=np.float32))
        return np.concatenate(before), np.concatenate(after), np.concatenate(weights)

    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """A session; new items are reached by their words, where `text` is on."""
        follows = unpacked_matrix("follows", state, len(items), len(items))
        text = _item_words(items, state, self.options.text) if self.options.text else None
        repeats = float(state["repeats"][0]) if self.options.repeats == "learned" else 0.0
        return _TransitionsSession(state["counts"], follows, text, self.options, repeats)


class _TransitionsSession(SparseSession):
    def __init__(
        self,
        counts: NDArray[np.int64],
        follows: csr_array,
        text: csr_array | None,
        options: Transitions.Options,
        repeats: float,
    ) -> None:
        super().__init__(counts, follows.shape[0], options.chunk)
        self._follows, self._text, self._options, self._repeats = follows, text, options, repeats
        self._by_word = None if text is None else text.T.tocsr()

    def reached(self, requests: Sequence[Request]) -> csr_array:
        """Logarithms of counts and cosines of words, summed over the history."""
        options = self._options
        found = history_weights(requests, self.items, options.recency) @ self._follows
        if options.text is not None:
            read = history_weights(requests, self.items, options.text.recency) @ self._text
            found = found + (read * np.float32(options.text.weight)) @ self._by_word
        if self._repeats:
            found = found + np.float32(self._repeats) * viewed(requests, self.items)
        return found.tocsr()


def viewed(requests: Sequence[Request], size: int) -> csr_array:
    """Which items each history holds, ones in a float32 [requests, size]."""
    held = history_weights(requests, size, 1.0)
    held.sum_duplicates()
    held.data[:] = 1.0
    return held


def _repeats(train: View, session: _TransitionsSession) -> float:
    """What makes items of a history as rare as repeated choices when it is added to them, at most 0."""
    requests = training_requests(train, SAMPLE)
    again, other = np.zeros(len(requests)), np.zeros(len(requests))
    for start in range(0, len(requests), _CHUNK):
        some = requests[start : start + _CHUNK]
        reached = session.reached(some)
        reached.data = np.exp(reached.data.astype(np.float64))
        held = reached.multiply(viewed(some, session.items))
        again[start : start + len(some)] = held.sum(axis=1)
        other[start : start + len(some)] = reached.sum(axis=1) - held.sum(axis=1)
    return lowering(again, other, repeated_share(train))


def _learnt_words(items: Items, options: TextSimilarity) -> dict[str, NDArray[np.generic]]:
    """`words` int64 [W], ascending hashes; their `frequency` float32 [W]; `text` [N, W], unit rows."""
    hashed = [_hashes(items.text(item, options.fields)) for item in range(len(items))]
    each = np.concatenate([np.zeros(0, dtype=np.int64), *(np.unique(row) for row in hashed)])
    words, documents = np.unique(each, return_counts=True)
    frequency = (np.log((1 + len(items)) / (1 + documents)) + 1).astype(np.float32)
    weighted = _weighted(hashed, words, frequency)
    return {"words": words, "frequency": frequency, **packed_matrix("text", weighted)}


def _item_words(items: Items, state: Fitted, options: TextSimilarity) -> csr_array:
    """TF-IDF vectors of all items, float32 [N, W]: the fitted ones, then those of new items."""
    from scipy.sparse import vstack

    known = len(state["counts"])
    text = unpacked_matrix("text", state, known, len(state["words"]))
    if len(items) == known:
        return text
    new = [_hashes(items.text(item, options.fields)) for item in range(known, len(items))]
    return vstack([text, _weighted(new, state["words"], state["frequency"])], format="csr")


def _hashes(text: str) -> NDArray[np.int64]:
    """A number for each word of a text, the same on every machine."""
    return np.asarray(
        [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _WORD.findall(text.lower())],
        dtype=np.int64,
    )


def _weighted(
    hashed: Iterable[NDArray[np.int64]], words: NDArray[np.int64], frequency: NDArray[np.float32]
) -> csr_array:
    """Counts of known words times their inverse document frequency, rows of length one, float32."""
    from scipy.sparse import csr_array

    rows = list(hashed)
    each = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    columns = np.minimum(np.searchsorted(words, each), max(0, len(words) - 1))
    known = words[columns] == each if len(words) else np.zeros(len(each), dtype=bool)
    ones = np.ones(int(known.sum()), dtype=np.float32)
    shape = (len(rows), len(words))
    matrix = csr_array((ones, (owners[known], columns[known])), shape=shape)
    matrix.sum_duplicates()
    matrix.data *= frequency[matrix.indices]
    owners = np.repeat(np.arange(len(rows)), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(owners, matrix.data.astype(np.float64) ** 2, minlength=len(rows)))
    matrix.data /= lengths[owners].astype(np.float32)
    return matrix
