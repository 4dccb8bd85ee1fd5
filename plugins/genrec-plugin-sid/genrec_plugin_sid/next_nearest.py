"""Next-nearest code: items that share codes move apart, each to the nearest codes that are free.

The order, on which the result depends:

1. Of the items that share codes, the one nearest to them keeps them (ties: first in the catalogue), unless a
   settled item has them: then all move.
2. The others move one after another, those nearest to the codes they leave first (ties: catalogue order).
3. A mover keeps its codes as far as it can and takes the nearest free code at the last level. When all are
   taken below its first codes, it takes the next nearest code one level up, and so on to the first level.

So everything ends up unique, also items whose embeddings are the same.

    codebooks {0, 10} and {−1, 0, 1}; items at 9.1, 9.0, 9.2 all get (1, 0), which is 9:
    9.0 keeps it, 9.1 moves to (1, 1), then 9.2 to (1, 2); a fourth would move to (0, 2)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from genrec_core import GenrecError
from genrec_plugin_sid.paths import Coded, Paths, place_within, unranked
from genrec_plugin_sid.quantiser import Codebooks


def next_nearest(coded: Coded) -> Paths:
    """Paths without ranks, all different and different from the settled ones.

    Raises:
        GenrecError: there are more items than codes.
    """
    check_room(coded)
    leaving = _leaving(coded)
    tree = CodeTree(coded.codebooks)
    tree.take(coded.settled[:, :-1])
    tree.take(coded.codes[~leaving])
    codes, gaps = coded.codes.copy(), coded.gaps()
    movers = np.flatnonzero(leaving)
    for item in movers[np.argsort(gaps[movers], kind="stable")]:
        codes[item] = tree.nearest_free(coded.latents[item], codes[item])
        tree.take(codes[item][None])
    return unranked(codes)


def check_room(coded: Coded) -> None:
    """Refuse items for which there are not enough codes."""
    items = len(coded.settled) + len(coded.codes)
    if items > coded.leaves:
        sizes = " × ".join(str(len(book)) for book in coded.codebooks)
        raise GenrecError(
            f"{items:,} items cannot all have codes of their own: {sizes} codes make `{coded.leaves:,}`",
            hint="write more `codes` or `levels`, or `collisions: suffix`",
        )


class CodeTree:
    """Which codes are taken, and how many below each prefix."""

    def __init__(self, codebooks: Codebooks) -> None:
        self.codebooks = codebooks
        self.room = [1]
        for book in reversed(codebooks):
            self.room.insert(0, self.room[0] * len(book))
        self._taken: Counter[tuple[int, ...]] = Counter()

    def take(self, codes: NDArray[np.int32]) -> None:
        """Mark codes (int32 [n, levels]) as taken."""
        for row in codes.tolist():
            self._taken.update(tuple(row[:depth]) for depth in range(1, len(row) + 1))

    def full(self, prefix: tuple[int, ...]) -> bool:
        """Whether all codes that begin so are taken."""
        return self._taken[prefix] >= self.room[len(prefix)]

    def nearest_free(self, latent: NDArray[np.float32], own: NDArray[np.int32]) -> tuple[int, ...]:
        """Free codes for an item: its own as far as it can be, then the nearest at each level.

        One must be free. A prefix that is not full has a free code below it, so no choice is taken back.
        """
        prefix: tuple[int, ...] = ()
        residual = latent
        for level, book in enumerate(self.codebooks):
            mine = (*prefix, int(own[level]))
            if prefix == tuple(own[:level].tolist()) and not self.full(mine):
                prefix = mine
            else:
                order = np.argsort(np.square(book - residual).sum(axis=1), kind="stable")
                prefix = self._first_with_room(prefix, order.tolist())
            residual = residual - book[prefix[-1]]
        return prefix

    def _first_with_room(self, prefix: tuple[int, ...], order: Iterable[int]) -> tuple[int, ...]:
        return next(longer for code in order if not self.full(longer := (*prefix, code)))


def _leaving(coded: Coded) -> NDArray[np.bool_]:
    """Who has to move: all of a bucket but the nearest, or all of it if a settled item has its codes."""
    settled, mine = coded.buckets()
    nearest_first = np.argsort(coded.gaps(), kind="stable")
    place = np.empty(len(mine), dtype=np.int64)
    place[nearest_first] = place_within(mine[nearest_first])
    return np.asarray((place > 0) | np.isin(mine, settled))
