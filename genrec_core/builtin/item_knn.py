"""`core/item-knn`: items that the same users chose as the user's latest ones.

The similarity of two items is the cosine of their user columns: users who have both, over the geometric
mean of users who have either. A user's score for an item is the sum of its similarities to the items of
the history, the newest counting most (`recency`, a departure from the plain textbook form that
`recency: 1.0` gives back). Items that no neighbour reaches follow by popularity, so that a ranking is
always full.

    users {A, B}, {A, B}, {A, C}: cos(A, B) = 2 / √(3·2) = 0.82, cos(A, C) = 1 / √3 = 0.58

`SparseSession`, which does the last two steps for any item-to-item matrix, also serves `core/transitions`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.baseline import Baseline, BaselineSession, Fitted
from genrec_core.contracts.candidates import Ranked, best
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import operational
from genrec_core.contracts.views import Request, Training, View
from genrec_core.evaluation.slices import popularity_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class ItemKNN(Baseline):
    """Item-to-item nearest neighbours on co-occurrence."""

    needs = ("scipy",)
    seeded = False

    class Options(Baseline.Options):
        """Options of item-to-item neighbours."""

        neighbours: int = Field(default=100, ge=1)
        """How many most similar items each item keeps."""
        recency: float = Field(default=0.6, gt=0, le=1)
        """What the item before counts relative to the one after it; 1.0 ignores order. The default was the
        best of 1.0, 0.8 and 0.6 on the validation rows of MovieLens 100K and of Amazon Beauty."""
        chunk: int = operational(512, "Items, and requests, handled at a time.", ge=1)

    options: Options

    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """`counts` int64 [N] and the similarities, float32 [N, N], as the arrays of `packed_matrix`."""
        similar = self.neighbours(training.train, len(items))
        return {"counts": popularity_of(training.train, len(items)), **packed_matrix("similar", similar)}

    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """A session; items beyond the neighbours have negative scores."""
        similar = unpacked_matrix("similar", state, len(items), len(items))
        return _KNNSession(state["counts"], similar, self.options)

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
        rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        cosine = block.data / (norms[rows + start] * norms[block.indices])
        cosine[block.indices == rows + start] = 0.0
        block.data = cosine
        return largest(block, self.options.neighbours)


def largest(matrix: csr_array, count: int) -> csr_array:
    """The `count` largest positive entries of each row, of equal ones those with the lower column."""
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(order)) - matrix.indptr[rows[order]]
    kept = order[(place < count) & (matrix.data[order] > 0)]
    return csr_array((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)


class SparseSession(BaselineSession):
    """Sums of sparse rows over a history, and popularity behind what they reach.

    Args:
        counts: int64 [at most N], training interactions of each item; new items, behind them, have none.
        items: N.
        chunk: requests handled at a time.
    """

    def __init__(self, counts: NDArray[np.int64], items: int, chunk: int) -> None:
        super().__init__(items)
        self._counts = np.zeros(items, dtype=np.int64)
        self._counts[: len(counts)] = counts
        self._chunk = chunk

    @abstractmethod
    def reached(self, requests: Sequence[Request]) -> csr_array:
        """Scores of the items that are reached, float32 [requests, N] in CSR; of others popularity decides.

        Its score lies from −1 to 0, so an item that is reached with less than −1 comes behind all others.
        """

    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The sums; from −1 to 0, by popularity, where nothing is reached."""
        scores = np.tile(self._below(np.arange(self.items)), (len(requests), 1))
        found = self.reached(requests)
        rows = np.repeat(np.arange(len(requests)), np.diff(found.indptr))
        scores[rows, found.indices] = found.data
        return scores

    def rank(self, requests: Sequence[Request], k: int) -> Iterator[Ranked]:
        """As by `scores`, without a row as wide as the catalogue for each request."""
        order = best(self._counts, self.items)
        for start in range(0, len(requests), self._chunk):
            some = requests[start : start + self._chunk]
            found = self.reached(some)
            for row, request in enumerate(some):
                inside = slice(found.indptr[row], found.indptr[row + 1])
                items, scores, popular = found.indices[inside], found.data[inside], order
                if request.ruled:
                    allowed = request.allows(items)
                    items, scores = items[allowed], scores[allowed]
                    popular = order[request.allows(order)]
                yield self._filled(items, scores, popular, k)

    def _filled(
        self, items: NDArray[np.int32], scores: NDArray[np.float32], order: NDArray[np.int32], k: int
    ) -> Ranked:
        """The k best of the reached items and of the most popular others."""
        top = np.lexsort((items, -scores))[:k]
        if len(top) == k and (not k or scores[top[-1]] > 0):
            return Ranked.direct(items[top], scores[top])
        popular = order[: k + len(items)]
        rest = popular[~np.isin(popular, items)][:k]
        items, scores = np.concatenate([items[top], rest]), np.concatenate([scores[top], self._below(rest)])
        top = np.lexsort((items, -scores))[:k]
        return Ranked.direct(items[top], scores[top])

    def _below(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """Negative scores in the order of popularity."""
        below: NDArray[np.float32] = (-1.0 / (1.0 + self._counts[items])).astype(np.float32)
        return below


class _KNNSession(SparseSession):
    def __init__(self, counts: NDArray[np.int64], similar: csr_array, options: ItemKNN.Options) -> None:
        super().__init__(counts, similar.shape[0], options.chunk)
        self._similar, self._recency = similar, options.recency

    def reached(self, requests: Sequence[Request]) -> csr_array:
        """Similarities to the history, the newest item's counting most."""
        return history_weights(requests, self.items, self._recency) @ self._similar


def history_weights(requests: Sequence[Request], size: int, recency: float) -> csr_array:
    """Histories as weights, float32 [requests, size]: the newest item 1, the one before it `recency`."""
    from scipy.sparse import csr_array

    lengths = [len(request.history) for request in requests]
    items = np.asarray([item for request in requests for item in request.history], dtype=np.int32)
    ages = np.concatenate([np.zeros(0), *(np.arange(length)[::-1] for length in lengths)])
    weights = np.power(recency, ages).astype(np.float32)
    return csr_array((weights, items, np.cumsum([0, *lengths])), shape=(len(requests), size))


def packed_matrix(name: str, matrix: csr_array) -> dict[str, NDArray[np.generic]]:
    """A CSR matrix as three named arrays."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices.astype(np.int32, copy=False),
        f"{name}.indptr": matrix.indptr.astype(np.int64, copy=False),
    }


def unpacked_matrix(name: str, state: Fitted, rows: int, columns: int) -> csr_array:
    """The matrix that `packed_matrix` took apart; rows that were not there then are empty."""
    from scipy.sparse import csr_array

    data, indices, indptr = (state[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    longer = np.full(rows + 1 - len(indptr), indptr[-1])
    return csr_array((data, indices, np.concatenate([indptr, longer])), shape=(rows, columns))
