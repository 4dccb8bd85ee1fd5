"""Arrivals: what new items are called, and beside whom that puts them.

Whoever adds items wants to see at a glance whether their names make sense: a new tent should begin like the
old tents. For each new item this tells the longest beginning that it shares with a known one, who those are,
and, where there are embeddings, which known items are nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.identifiers.prefixes import Prefixes

UNLIKE = 0.05
"""A largest cosine below this resembles nothing."""

SAMPLED = 500
"""Known items whose own neighbours say how near is usual."""

CHECKED = 1_000
"""New items that are compared with the known ones."""

_BLOCK = 1 << 15
"""Known items compared with at a time."""

COMPANIONS = 3
"""Known items that are told for each new one."""


@dataclass(frozen=True)
class Arrivals:
    """M new items behind N known ones.

    Attributes:
        known: N.
        shared: int64 [M], how many first tokens each has in common with some known item.
        companions: for each, the first known items that share that many, at least one token.
        counts: by length from 1 on: how many new items share so many first tokens with a known one.
        colliding: how many share their whole identifier with another item, known or new.
    """

    known: int
    shared: NDArray[np.int64]
    companions: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    colliding: int


def arrivals(identifiers: Identifiers, known: int) -> Arrivals:
    """The arrivals among identifiers whose first `known` belong to known items."""
    prefixes = Prefixes.of(identifiers)
    count = len(identifiers) - known
    shared = np.zeros(count, dtype=np.int64)
    companions: list[tuple[int, ...]] = [() for _ in range(count)]
    counts = []
    for length, group in enumerate(prefixes.groups, 1):
        old, new = group[:known], group[known:]
        with_others = np.flatnonzero((new >= 0) & np.isin(new, old))
        shared[with_others] = length
        counts.append(len(with_others))
        order = np.argsort(old, kind="stable")
        firsts = np.searchsorted(old[order], new[with_others], side="left")
        ends = np.searchsorted(old[order], new[with_others], side="right")
        for item, first, end in zip(with_others.tolist(), firsts.tolist(), ends.tolist(), strict=True):
            companions[item] = tuple(order[first : min(end, first + COMPANIONS)].tolist())
    leaves = prefixes.leaves
    colliding = int((np.bincount(leaves)[leaves[known:]] > 1).sum())
    return Arrivals(known, shared, tuple(companions), tuple(counts), colliding)


def unlike_known(
    vectors: NDArray[np.float32], known: int, seed: int = 0
) -> tuple[list[tuple[int, float]], float]:
    """New items that resemble no known one, with their largest cosine, and the cosine that is too small.

    The bar lies far below what the known items reach among one another: of a sample's largest cosines the
    1 % quantile, less twice the way from there to the median. Never below `UNLIKE`: at a cosine of 0 a vector
    says nothing about an item.

    Args:
        vectors: float32 [N + M, d], known items first.
        known: N.
        seed: of the sample.
    """
    sample = np.arange(known)
    if known > SAMPLED:
        sample = np.random.default_rng(seed).choice(known, SAMPLED, replace=False)
    best = _largest_cosines(vectors, known, sample)
    low, middle = np.quantile(best, [0.01, 0.5]).tolist()
    bar = max(UNLIKE, low - 2 * (middle - low))
    new = np.arange(known, len(vectors))[:CHECKED]
    cosines = _largest_cosines(vectors, known, new)
    found = [(int(item), float(cosine)) for item, cosine in zip(new, cosines, strict=True) if cosine < bar]
    return found, bar


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _largest_cosines(
    vectors: NDArray[np.float32], known: int, asked: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The largest cosine of each asked item with a known one other than itself, in blocks of known items."""
    best, wanted = np.full(len(asked), -1, dtype=np.float32), _unit(vectors[asked])
    for start in range(0, known, _BLOCK):
        cosines = wanted @ _unit(vectors[start : min(start + _BLOCK, known)]).T
        rows = np.flatnonzero((asked >= start) & (asked < start + cosines.shape[1]))
        cosines[rows, asked[rows] - start] = -1
        np.maximum(best, cosines.max(axis=1, initial=-1), out=best)
    return best


def nearest_known(
    vectors: NDArray[np.float32], known: int, item: int, count: int = COMPANIONS
) -> list[tuple[int, float]]:
    """The known items nearest to one item, with their cosines, best first; vectors are float32 [N + M, d]."""
    lengths = np.linalg.norm(vectors[:known], axis=1) * np.linalg.norm(vectors[item])
    cosines = vectors[:known] @ vectors[item] / np.maximum(lengths, 1e-12)
    best = np.argsort(-cosines, kind="stable")[:count]
    return [(int(other), float(cosines[other])) for other in best]
