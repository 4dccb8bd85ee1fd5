"""Leaves under each prefix: how many identifiers a beam, or a training that gives prefixes away, has left.

A prefix with a single leaf decides the item. Training that gives away a prefix and asks for the rest learns
nothing there, since every answer is the same one; sixteen rollouts need sixteen leaves to differ.

    (a, x) (a, y) (b, x), length 1  →  prefixes a and b with 2 leaves and 1; half of them single
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec_core.identifiers.prefixes import Prefixes

ROLLOUTS = 16
"""A usual number of answers asked for at once; prefixes with fewer leaves are counted."""


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
