"""Histories as batches: windows of long rows, right-padded matrices, batches of rows alike in length.

Under causal attention no position sees what comes after it, so padding at the right needs no mask: the
padded positions compute something, and nobody reads it. That leaves their cost, which batches of rows of
about the same length avoid (`engine.batches`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Sequences
from genrec_core.engine.batches import by_targets, pooled

ItemIds = NDArray[np.int32]

_POOLED_BATCHES = 64
"""Batches whose rows are sorted by length together: larger pads less, smaller mixes better."""


def windows(rows: Sequences, length: int) -> list[ItemIds]:
    """Training rows of at most `length` + 1 items, cut from the newest item backwards.

    Neighbours share one item, so that every item but a user's first is a target exactly once. The paper
    keeps only the newest window.

    >>> [row.tolist() for row in windows(Sequences.of([[0, 1, 2, 3, 4, 5], [6]]), 3)]
    [[2, 3, 4, 5], [0, 1, 2]]
    """
    cut = []
    for index in range(len(rows)):
        row = rows.row(index)
        for stop in range(len(row), 1, -length):
            cut.append(row[max(0, stop - length - 1) : stop])
    return cut


def history_matrix(rows: Sequence[ItemIds]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows as int64 [B, longest], zeros at the right, and their lengths int64 [B]."""
    lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
    matrix = np.zeros((len(rows), int(lengths.max(initial=0))), dtype=np.int64)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = np.concatenate(rows)
    return matrix, lengths


def batches(targets: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Row numbers of each batch of one epoch, in random order; every row in exactly one.

    Args:
        targets: int64 [R], targets of each row, at least one.
        size: targets a batch, about.
        rng: what shuffles.
    """
    shuffled = rng.permutation(len(targets))
    pools = np.array_split(shuffled, max(1, round(targets.sum() / (size * _POOLED_BATCHES))))
    return pooled(pools, lambda rows: by_targets(rows, targets, size), rng)
