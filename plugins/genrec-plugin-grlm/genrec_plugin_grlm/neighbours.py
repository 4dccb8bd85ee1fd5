"""Neighbours: the k items whose embeddings have the largest cosine, the item itself never among them.

Small catalogues are compared pair by pair; larger ones through an HNSW graph (hnswlib), whose recall
against the exact answer is measured on a sample and logged. The item is left out by its number, not by its
place: its nearest neighbour may be an exact copy, and to drop "the first of the k + 1 nearest" would drop
that copy instead.

Equal cosines come in catalogue order. Cosines are rounded to six digits for that, so that the last bits of
a matrix product, which depend on how rows were blocked, decide nothing. The graph is built by one thread,
because insertion by several is not repeatable.

    vectors at 0°, 20°, 90°: the one neighbour of the first is the second
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from genrec_plugin_sid.unit import unit_rows
from numpy.typing import NDArray

from genrec_core import Context, GenrecError, StageError

COMPARED_ROWS = 1024
"""Rows compared with all others at a time."""

SAMPLE = 256
"""Items, evenly spread over the catalogue, whose neighbours in the graph are compared with the exact ones."""

LINKS, BUILD_EFFORT, EFFORT = 16, 200, 128
"""Of the graph: links a node; candidates looked at while it is built, and at least so many in a search."""


@dataclass(frozen=True)
class NearestItems:
    """The nearest items of each item.

    Attributes:
        nearest: int32 [N, k], nearest first.
        recall: share of true neighbours that were found on a sample; 1.0 where the search was exact.
    """

    nearest: NDArray[np.int32]
    recall: float


def nearest_items(vectors: NDArray[np.float32], k: int, exact_below: int, context: Context) -> NearestItems:
    """The `k` nearest others of each row, or all others where there are fewer.

    Args:
        vectors: float32 [N, d]; a zero row has cosine 0 with everything.
        k: how many.
        exact_below: catalogues of fewer items are compared pair by pair.
        context: gives the log.

    Raises:
        GenrecError: the catalogue is too large for pairs, and hnswlib is not installed.
        StageError: the graph falls apart, so that items have too few neighbours in it.
    """
    unit = unit_rows(vectors)
    k = max(0, min(k, len(unit) - 1))
    everyone = np.arange(len(unit))
    if k == 0:
        return NearestItems(np.zeros((len(unit), 0), dtype=np.int32), 1.0)
    exact = len(unit) < exact_below
    if exact:
        found = NearestItems(_exact(unit, everyone, k)[0], 1.0)
    else:
        nearest = _approximate(unit, k)
        found = NearestItems(nearest, _recall(unit, nearest, k))
    context.log("neighbours", items=len(unit), k=k, exact=exact, recall=found.recall)
    return found


def _exact(
    unit: NDArray[np.float32], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest of some rows, int32 [rows, k], and the cosine of the farthest of them."""
    nearest = np.zeros((len(rows), k), dtype=np.int32)
    farthest = np.zeros(len(rows), dtype=np.float32)
    for start in range(0, len(rows), COMPARED_ROWS):
        some = rows[start : start + COMPARED_ROWS]
        cosines = np.round(unit[some] @ unit.T, 6)
        cosines[np.arange(len(some)), some] = -np.inf
        limit = -np.partition(-cosines, k - 1, axis=1)[:, k - 1]
        # Ties at the limit can make more than k: the first in catalogue order are kept.
        row, item = np.nonzero(cosines >= limit[:, None])
        order = np.lexsort((item, -cosines[row, item], row))
        place = np.arange(len(row)) - np.searchsorted(row, row)
        nearest[start : start + len(some)] = item[order][place < k].reshape(len(some), k)
        farthest[start : start + len(some)] = limit
    return nearest, farthest


def _approximate(unit: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """The k nearest, int32 [N, k]. The graph holds every vector once: among many copies it falls apart."""
    rows = np.ascontiguousarray(unit).view(np.dtype((np.void, unit.dtype.itemsize * unit.shape[1]))).ravel()
    _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    nearest = _in_graph(unit[first], min(k, len(first) - 1))
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    found = np.zeros((len(unit), k), dtype=np.int32)
    for own, others in zip(members, nearest, strict=True):
        pool: list[int] = own.tolist()
        for other in others:
            if len(pool) > k:  # the item itself and k others
                break
            pool += members[other].tolist()
        for item in own:
            found[item] = [near for near in pool[: k + 1] if near != item][:k]
    return found


def _in_graph(unit: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """The k nearest of different vectors.

    Raises:
        GenrecError: hnswlib is not installed.
    """
    try:
        import hnswlib
    except ImportError as error:
        raise GenrecError(
            f"the neighbours of {len(unit):,} items are found with hnswlib, which is not installed",
            hint="pip install 'genrec-plugin-grlm[graph]' (it needs a C++ compiler), or raise `exact_below`",
        ) from error
    nearest = np.zeros((len(unit), k), dtype=np.int32)
    if k == 0:
        return nearest
    graph = hnswlib.Index(space="ip", dim=unit.shape[1])
    graph.init_index(max_elements=len(unit), M=LINKS, ef_construction=BUILD_EFFORT, random_seed=100)
    graph.add_items(unit, np.arange(len(unit)), num_threads=1)
    for start in range(0, len(unit), COMPARED_ROWS):
        rows = np.arange(start, min(start + COMPARED_ROWS, len(unit)))
        labels = _searched(graph, unit[rows], k + 1)
        cosines = np.round(np.einsum("nd,nkd->nk", unit[rows], unit[labels]), 6)
        # Itself last; if it was not among those found, the farthest one is dropped.
        cosines[labels == rows[:, None]] = -np.inf
        row = np.repeat(np.arange(len(rows)), k + 1)
        order = np.lexsort((labels.ravel(), -cosines.ravel(), row)).reshape(len(rows), k + 1)
        nearest[rows] = labels.ravel()[order[:, :k]]
    return nearest


def _searched(graph: Any, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The nearest labels; looks harder where the graph, full of copies, leads to too few."""
    effort = max(EFFORT, 4 * count)
    while True:
        graph.set_ef(effort)
        try:
            labels, _ = graph.knn_query(queries, k=count)
        except RuntimeError as error:
            if effort >= graph.get_current_count():
                raise StageError(
                    f"the HNSW graph of {graph.get_current_count():,} items leads to fewer than {count}",
                    hint="raise `exact_below` above the number of items: then all pairs are compared",
                ) from error
            effort *= 8
        else:
            return np.asarray(labels, dtype=np.int64)


def _recall(unit: NDArray[np.float32], nearest: NDArray[np.int32], k: int) -> float:
    """Share of approximate neighbours that are as near as the exact ones (copies stand for one another)."""
    rows = np.linspace(0, len(unit) - 1, min(SAMPLE, len(unit))).astype(np.int64)
    _, farthest = _exact(unit, rows, k)
    cosines = np.round(np.einsum("nd,nkd->nk", unit[rows], unit[nearest[rows]]), 6)
    return float((cosines >= farthest[:, None] - 1e-6).mean())
