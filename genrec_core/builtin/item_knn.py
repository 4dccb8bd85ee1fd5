"""`core/item-knn`: items that the same users chose as the user's latest ones.

The similarity of two items is the cosine of their user columns: users who have both, over the geometric
mean of users who have either. A user's score for an item is the sum of its similarities to the items of
the history, the newest counting most (`recency`, a departure from the plain textbook form that
`recency: 1.0` gives back). Items that no neighbour reaches follow by popularity, so that a ranking is
always full.

    users {A, B}, {A, B}, {A, C}: cos(A, B) = 2 / √(3·2) = 0.82, cos(A, C) = 1 / √3 = 0.58
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import operational
from genrec_core.contracts.views import Request, Training, View
from genrec_core.evaluation.rankings import best, direct
from genrec_core.evaluation.slices import popularity_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class ItemKNN(Baseline):
    """Item-to-item nearest neighbours on co-occurrence."""

    seeded = False

    class Options(Baseline.Options):
        """Options of item-to-item neighbours."""

        neighbours: int = Field(default=100, ge=1)
        """How many most similar items each item keeps."""
        recency: float = Field(default=0.6, gt=0, le=1)
        """What the item before counts relative to the one after it; 1.0 ignores order. The default was the
        best of 1.0, 0.8 and 0.6 on the validation rows of MovieLens 100K and of Amazon Beauty."""
        chunk: int = operational(512, "Items, and requests, handled at a time.")

    options: Options

    def rank(
        self, items: Items, training: Training, requests: Sequence[Request], k: int, context: Context
    ) -> Iterator[Ranked]:
        """The best k items for each request; items beyond the neighbours have negative scores."""
        counts = popularity_of(training.train, len(items))
        similar = self.neighbours(training.train, len(items))
        fallback = best(counts, k + self._most_reached(requests))
        with context.progress("item-knn", len(requests)) as advance:
            for start in range(0, len(requests), self.options.chunk):
                some = requests[start : start + self.options.chunk]
                scores = self._histories(some, len(items)) @ similar
                for row in range(len(some)):
                    inside = slice(scores.indptr[row], scores.indptr[row + 1])
                    yield _filled(scores.indices[inside], scores.data[inside], fallback, counts, k)
                advance(len(some))

    def _most_reached(self, requests: Sequence[Request]) -> int:
        longest = max((len(request.history) for request in requests), default=0)
        return longest * self.options.neighbours

    def neighbours(self, train: View, size: int) -> csr_array:
        """Cosine similarities float32 [N, N], the `neighbours` largest of each row, none to itself."""
        from scipy.sparse import csr_array, vstack  # scipy comes with the `engine` extra

        users = np.repeat(np.arange(len(train.rows)), train.rows.lengths)
        pairs = np.unique(np.stack([users, train.rows.values.astype(np.int64)]), axis=1)
        ones = np.ones(pairs.shape[1], dtype=np.float32)
        chosen = csr_array((ones, (pairs[0], pairs[1])), shape=(len(train.rows), size))
        norms = np.sqrt(np.maximum(1.0, chosen.sum(axis=0))).astype(np.float32)
        by_item = chosen.T.tocsr()
        blocks = []
        for start in range(0, size, self.options.chunk):
            block = (by_item[start : start + self.options.chunk] @ chosen).tocsr()
            blocks.append(self._nearest(block, start, norms))
        return vstack(blocks, format="csr") if blocks else csr_array((0, size), dtype=np.float32)

    def _nearest(self, block: csr_array, start: int, norms: NDArray[np.float32]) -> csr_array:
        from scipy.sparse import csr_array

        rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        cosine = block.data / (norms[rows + start] * norms[block.indices])
        cosine[block.indices == rows + start] = 0.0
        order = np.lexsort((block.indices, -cosine, rows))
        place = np.arange(len(order)) - block.indptr[rows[order]]
        kept = order[(place < self.options.neighbours) & (cosine[order] > 0)]
        return csr_array((cosine[kept], (rows[kept], block.indices[kept])), shape=block.shape)

    def _histories(self, requests: Sequence[Request], size: int) -> csr_array:
        """Histories as weights, float32 [requests, N]: the newest item 1, the one before `recency`."""
        from scipy.sparse import csr_array

        lengths = [len(request.history) for request in requests]
        items = np.asarray([item for request in requests for item in request.history], dtype=np.int32)
        ages = np.concatenate([np.zeros(0), *(np.arange(length)[::-1] for length in lengths)])
        weights = np.power(self.options.recency, ages).astype(np.float32)
        return csr_array((weights, items, np.cumsum([0, *lengths])), shape=(len(requests), size))


def _filled(
    items: NDArray[np.int32],
    scores: NDArray[np.float32],
    fallback: NDArray[np.int32],
    counts: NDArray[np.int64],
    k: int,
) -> Ranked:
    """The k best of the reached items, then the most popular of the others with scores below zero."""
    order = np.lexsort((items, -scores))[:k]
    missing = k - len(order)
    if not missing:
        return direct(items[order], scores[order])
    rest = fallback[~np.isin(fallback, items)][:missing]
    below = -1.0 / (1.0 + counts[rest])
    return direct(np.concatenate([items[order], rest]), np.concatenate([scores[order], below]))
