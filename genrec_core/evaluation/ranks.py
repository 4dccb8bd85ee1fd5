"""Ranks: where the true item stands in each ranking. Every metric and every test starts here, once.

A rank counts from 1; 0 means *not found*, and such an example stays in every denominator. Two ranks are
computed beside each other:

- **honest**: the place of the target item itself.
- **inflated**: the place of the first beam that leads to the target's identifier, all items of one beam
  in one place. This is what comparing identifier strings measures, as much public code does: with
  items A and B on one identifier, a beam that writes it is a hit for both at once.

      A and B share an identifier, which the first beam writes; the target is B
      ranking [A, B, C]   honest rank 2, inflated rank 1
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.evaluation.rankings import Rankings

BLOCK = 8192
"""Rows handled at a time, so that temporary arrays stay small."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of U targets, 0 where the target was not found.

    Attributes:
        honest: int32 [U].
        inflated: int32 [U], at least as good as `honest` everywhere; None for a system whose items have no
            identifiers.
    """

    honest: NDArray[np.int32]
    inflated: NDArray[np.int32] | None = None

    def within(self, depth: int) -> Ranks:
        """The same ranks, with targets that stand deeper than `depth` counted as not found."""
        inflated = None if self.inflated is None else np.where(self.inflated > depth, 0, self.inflated)
        return Ranks(np.where(self.honest > depth, 0, self.honest), inflated)


def identifier_groups(identifiers: Identifiers) -> NDArray[np.int32]:
    """A number for each item, int32 [N], equal for items that share their identifier."""
    numbers: dict[bytes, int] = {}
    groups = np.empty(len(identifiers), dtype=np.int32)
    for item in range(len(identifiers)):
        codes = identifiers.codes[identifiers.offsets[item] : identifiers.offsets[item + 1]]
        groups[item] = numbers.setdefault(codes.tobytes(), len(numbers))
    return groups


def ranks_of(
    rankings: Rankings, targets: NDArray[np.int32], groups: NDArray[np.int32] | None = None
) -> Ranks:
    """Both ranks of every target.

    Args:
        rankings: U users, K items each.
        targets: int32 [U].
        groups: int32 [N], which identifier each item carries; None where items have none (baselines).
    """
    honest = _places(rankings.items, targets)
    if groups is None:
        return Ranks(honest)
    shared = _places(np.where(rankings.firsts < 0, -1, groups[rankings.firsts]), groups[targets])
    return Ranks(honest, np.where((shared == 0) | ((honest > 0) & (honest < shared)), honest, shared))


def _places(table: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.int32]:
    places = np.zeros(len(table), dtype=np.int32)
    for start in range(0, len(table), BLOCK):
        found = table[start : start + BLOCK] == wanted[start : start + BLOCK, None]
        hit = found.any(axis=1)
        places[start : start + BLOCK][hit] = found.argmax(axis=1)[hit] + 1
    return places
