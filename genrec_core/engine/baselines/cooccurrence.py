"""Co-occurrence: one vector an item from what stands near it in training sequences.

A pair of items at distance d in one sequence counts 1/d. The counts become positive pointwise mutual
information, with the context's frequency raised to .75 so that rare contexts count less, and a truncated SVD
turns that table into one vector an item (Levy et al., 2015: word2vec factorises such a table).

    sequences (tent, rope, lamp) → pairs tent–rope 1, rope–lamp 1, tent–lamp 1/2
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.views import View

CONTEXT_POWER = 0.75


def cooccurrence_vectors(
    train: View, items: int, dimensions: int, window: int, start: NDArray[np.float64]
) -> NDArray[np.float32]:
    """One vector an item, float32 [N, up to dimensions]; zeros for items that stand beside no other."""
    # Only fitting needs SciPy, which takes half a second to import.
    from scipy.sparse.linalg import svds

    table = _mutual_information(_counts(train, items, window))
    rank = min(dimensions, items - 1)
    if rank < 1 or not table.nnz:
        return np.zeros((items, max(rank, 1)), dtype=np.float32)
    left, strengths, _ = svds(table, k=rank, v0=start)
    order = np.argsort(-strengths, kind="stable")
    left = left[:, order] * np.sqrt(np.maximum(strengths[order], 0))
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)])
    return np.asarray(left * np.where(signs == 0, 1, signs), dtype=np.float32)


def _counts(train: View, items: int, window: int) -> Any:
    """Symmetric table [N, N] of how near items stand, in CSR form; an item beside itself does not count."""
    from scipy.sparse import coo_matrix

    values, offsets = train.rows.values, train.rows.offsets
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    total = coo_matrix((items, items)).tocsr()
    for distance in range(1, min(window, int(np.diff(offsets).max(initial=0))) + 1):
        inside = rows[distance:] == rows[:-distance]
        first, second = values[:-distance][inside], values[distance:][inside]
        other = first != second
        weights = np.full(int(other.sum()), 1.0 / distance)
        pairs = coo_matrix((weights, (first[other], second[other])), shape=(items, items)).tocsr()
        total = total + pairs + pairs.T
    return total


def _mutual_information(counts: Any) -> Any:
    """Positive pointwise mutual information of a symmetric table of counts, in CSR form."""
    from scipy.sparse import csr_matrix

    entries = counts.tocoo()
    margins = np.asarray(counts.sum(axis=1)).ravel()
    contexts = margins**CONTEXT_POWER
    contexts /= max(float(contexts.sum()), 1e-300)
    information = np.log(entries.data / (margins[entries.row] * contexts[entries.col]))
    kept = information > 0
    places = (entries.row[kept], entries.col[kept])
    return csr_matrix((information[kept], places), shape=counts.shape)
