"""Neighbours: do items with similar names lie close together in embedding space?

The question is asked as a search. Let each item look for its neighbours by name alone: items that share the
longest prefix come first, those that share one token less after them, and so on. Of its k nearest items by
cosine, how many are among the first k found? That is neighbour recall@k. Among items that share equally many
tokens the search cannot choose, so they are in no order: each is found with the same probability, and the
expectation is taken exactly. Few, large groups therefore gain nothing by being large, and identifiers of
different lengths and code books can be compared. Chance is k / (N − 1).

    N10 of an item: 6 share two tokens with it, 2 share one, 2 none. It shares two tokens with 8 items in
    all, one token with 40:  recall = (6 · 1 + 2 · 2/32 + 2 · 0) / 10 = 0.6125, since 2 of the 10 places are
    left for the 32 that share exactly one

`recall` at a length uses only the first tokens. `kept` at a length is the plain share of the k nearest that
have the same prefix, and its chance is what groups of these sizes would give if drawn blindly: coarse levels
keep more, by chance too, so read `kept` against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.identifiers.prefixes import Prefixes

_NEAREST = 10
ALL_QUERIES = 20_000
"""Catalogues up to this size ask for every item, unless something else is asked for."""

SAMPLED_QUERIES = 2_000
"""Items that are asked for in larger ones."""

_BLOCK = 1 << 24
"""Similarities held at a time: 64 MB."""

_ROWS = 1 << 14
"""Vectors whose lengths are computed at a time."""

_DIGITS = 1e5
"""Similarities are compared to five decimals, so that equal texts tie whatever the order of summation."""


@dataclass(frozen=True)
class KeptNeighbours:
    """Neighbours at one prefix length.

    Attributes:
        length: tokens of the prefix.
        recall: neighbour recall by the first `length` tokens.
        kept: share of the nearest items that have the same prefix.
        kept_by_chance: the same for groups of these sizes drawn blindly.
    """

    length: int
    recall: float
    kept: float
    kept_by_chance: float


@dataclass(frozen=True)
class NeighbourRecall:
    """Neighbour recall of identifiers.

    Attributes:
        k: nearest items looked at.
        queries: items that were asked for.
        items: size of the catalogue.
        recall: neighbour recall by whole identifiers.
        chance: that of a blind search.
        lengths: the same by prefixes.
    """

    k: int
    queries: int
    items: int
    recall: float
    chance: float
    lengths: tuple[KeptNeighbours, ...]


def neighbours(
    vectors: NDArray[np.float32], prefixes: Prefixes, *, queries: int | None = None, seed: int = 0
) -> NeighbourRecall | None:
    """Neighbour recall by cosine of `vectors`, float32 [N, d]; None for fewer than two items.

    Args:
        vectors: item embeddings, in catalogue order.
        prefixes: of the identifiers.
        queries: how many items to ask for; by default all of a catalogue up to `ALL_QUERIES`, else
            `SAMPLED_QUERIES`.
        seed: of the draw of queries.
    """
    count = len(vectors)
    k = min(_NEAREST, count - 1)
    if k < 1:
        return None
    wanted = queries or (count if count <= ALL_QUERIES else SAMPLED_QUERIES)
    asked = np.arange(count)
    if wanted < count:
        asked = np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))
    near = nearest_by_cosine(vectors, asked, k)
    shared = _shared_tokens(prefixes, asked, near)
    sizes = _sizes(prefixes, asked, count)
    lengths = tuple(
        KeptNeighbours(
            length=length,
            recall=_recall(np.minimum(shared, length), sizes[: length + 1], k),
            kept=float((shared >= length).mean()),
            kept_by_chance=float(sizes[length].mean() / (count - 1)),
        )
        for length in range(1, len(sizes))
    )
    return NeighbourRecall(k, len(asked), count, lengths[-1].recall, k / (count - 1), lengths)


def nearest_by_cosine(vectors: NDArray[np.float32], asked: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The k items of largest cosine to each asked one, itself left out; int64 [asked, k], ties by index."""
    # In blocks: of a million vectors the squares alone are gigabytes.
    parts = (vectors[start : start + _ROWS] for start in range(0, len(vectors), _ROWS))
    lengths = np.concatenate([np.linalg.norm(part, axis=1) for part in parts])
    scale = 1 / np.maximum(lengths, 1e-12).astype(np.float32)
    found = [_block(vectors, scale, block, k) for block in _blocks(asked, len(vectors))]
    return np.concatenate(found)


def _blocks(asked: NDArray[np.int64], count: int) -> Iterator[NDArray[np.int64]]:
    size = max(1, _BLOCK // count)
    for start in range(0, len(asked), size):
        yield asked[start : start + size]


def _block(
    vectors: NDArray[np.float32], scale: NDArray[np.float32], asked: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    similar = (vectors[asked] * scale[asked, None]) @ vectors.T
    similar *= scale
    np.rint(np.multiply(similar, _DIGITS, out=similar), out=similar)
    similar[np.arange(len(asked)), asked] = -np.inf
    bar = np.partition(similar, -k, axis=1)[:, -k]
    rows, columns = np.nonzero(similar >= bar[:, None])
    order = np.lexsort((columns, -similar[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    chosen: NDArray[np.int64] = columns[place < k].reshape(len(asked), k)
    return chosen


def _shared_tokens(
    prefixes: Prefixes, asked: NDArray[np.int64], near: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many first tokens each neighbour shares, int64 [asked, k]."""
    shared = np.zeros(near.shape, dtype=np.int64)
    for group in prefixes.groups:
        shared += (group[asked][:, None] == group[near]) & (group[near] >= 0)
    return shared


def _sizes(prefixes: Prefixes, asked: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Other items that share at least the first l tokens, int64 [lengths + 1, asked], from l = 0."""
    every = [np.full(len(asked), count - 1, dtype=np.int64)]
    every += [prefixes.sharing(length)[asked] for length in range(1, len(prefixes.groups) + 1)]
    return np.stack(every)


def _recall(shared: NDArray[np.int64], sizes: NDArray[np.int64], k: int) -> float:
    """Expected share of the neighbours found; `sizes` ends at the length that is looked at."""
    deeper = np.concatenate([sizes[1:], np.zeros((1, sizes.shape[1]), dtype=np.int64)])
    exactly = sizes - deeper
    chances = np.clip((k - deeper) / np.maximum(exactly, 1), 0, 1)
    found = chances[shared, np.arange(sizes.shape[1])[:, None]]
    return float(found.mean())
