"""Prefixes: which items begin alike, as integers, so that a million items take a second.

At each length, items whose first tokens are the same get the same group number, in no particular order of
tokens. Items too short to have such a prefix get −1. Everything that is asked about collisions, leaves
under a prefix or neighbours within one is then a count of integers.

    (a, x) (a, y) (a, y) (b)  →  length 1: 0 0 0 1    length 2: 0 1 1 −1    leaves: 1 2 2 0

**Leaves under each prefix** are how many identifiers a beam, or a training that gives prefixes away, has
left. A prefix with a single leaf decides the item. Training that gives away a prefix and asks for the rest
learns nothing there, since every answer is the same one; sixteen rollouts need sixteen leaves to differ.

    (a, x) (a, y) (b, x), length 1  →  prefixes a and b with 2 leaves and 1; half of them single
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.identifiers import Identifiers

ROLLOUTS = 16
"""A usual number of answers asked for at once; prefixes with fewer leaves are counted."""


@dataclass(frozen=True)
class Prefixes:
    """The prefixes of N items.

    Attributes:
        groups: one int64 [N] a length, from 1 on: the group of the item's prefix, −1 where it has none.
        leaves: int64 [N], the group of the whole identifier: two items have the same if they collide.
    """

    groups: tuple[NDArray[np.int64], ...]
    leaves: NDArray[np.int64]

    @classmethod
    def of(cls, identifiers: Identifiers) -> Prefixes:
        """The prefixes of these identifiers, at every length that some item reaches."""
        lengths, starts = identifiers.lengths, identifiers.offsets[:-1]
        count, words = len(identifiers), len(identifiers.vocabulary)
        group = np.zeros(count, dtype=np.int64)
        groups: list[NDArray[np.int64]] = []
        leaves = np.full(count, -1, dtype=np.int64)
        found = 0
        for level in range(int(lengths.max(initial=0))):
            reach = np.flatnonzero(lengths > level)
            keys = group[reach] * words + identifiers.codes[starts[reach] + level]
            group = np.full(count, -1, dtype=np.int64)
            group[reach] = np.unique(keys, return_inverse=True)[1].reshape(-1)
            groups.append(group)
            ends = np.flatnonzero(lengths == level + 1)
            kinds, leaf = np.unique(group[ends], return_inverse=True)
            leaves[ends] = leaf.reshape(-1) + found
            found += len(kinds)
        return cls(tuple(groups), leaves)

    @cached_property
    def bucket_sizes(self) -> NDArray[np.int64]:
        """How many items carry each distinct identifier, by its number in `leaves`."""
        return np.bincount(self.leaves).astype(np.int64)

    @cached_property
    def representatives(self) -> NDArray[np.int64]:
        """The first item of each distinct identifier, by its number in `leaves`."""
        return np.unique(self.leaves, return_index=True)[1].astype(np.int64)

    def sharing(self, length: int) -> NDArray[np.int64]:
        """For each item, how many others have its first `length` tokens, int64 [N]; 0 without."""
        group = self.groups[length - 1]
        reach = group >= 0
        others = np.zeros(len(group), dtype=np.int64)
        others[reach] = np.bincount(group[reach])[group[reach]] - 1
        return others


@dataclass(frozen=True)
class UnderPrefixes:
    """What lies under the prefixes of one length.

    Attributes:
        length: tokens of the prefix.
        items: items that are at least so long.
        prefixes: distinct prefixes.
        shared: share of `items` whose prefix another item has too (the collision rate if names ended here).
        least, median, mean, most: leaves (distinct identifiers) under a prefix, over prefixes.
        usual: leaves under an item's prefix, the median over `items`.
        single: share of the prefixes with one leaf.
        decided: share of `items` under a prefix with one leaf.
        few: share of `items` under a prefix with fewer than `ROLLOUTS` leaves.
        duplicated: of the items that share the prefix, the share with a near-duplicate among those they share
            it with; None when duplicates were not looked for or nothing is shared.
    """

    length: int
    items: int
    prefixes: int
    shared: float
    least: int
    median: float
    mean: float
    most: int
    usual: float
    single: float
    decided: float
    few: float
    duplicated: float | None = None


def under_prefixes(
    prefixes: Prefixes, duplicated: Sequence[float | None] | None = None
) -> list[UnderPrefixes]:
    """One entry a length; `duplicated` is what `duplicates.explained` said of each length."""
    known = duplicated or [None] * len(prefixes.groups)
    return [_under(prefixes, length, known[length - 1]) for length in range(1, len(prefixes.groups) + 1)]


def _under(prefixes: Prefixes, length: int, duplicated: float | None) -> UnderPrefixes:
    group = prefixes.groups[length - 1]
    reach = group >= 0
    first = group[prefixes.representatives]
    leaves = np.bincount(first[first >= 0])
    mine = leaves[group[reach]]
    return UnderPrefixes(
        length=length,
        items=int(reach.sum()),
        prefixes=len(leaves),
        shared=float((prefixes.sharing(length)[reach] > 0).mean()),
        least=int(leaves.min()),
        median=float(np.median(leaves)),
        mean=float(leaves.mean()),
        most=int(leaves.max()),
        usual=float(np.median(mine)),
        single=float((leaves == 1).mean()),
        decided=float((mine == 1).mean()),
        few=float((mine < ROLLOUTS).mean()),
        duplicated=duplicated,
    )
