"""Residual quantisation: each level names what the levels before it left over.

SINGER §2.1: the codebook of a level is found by clustering the current residuals; a vector takes the code of
its nearest centroid, and what the centroid does not explain goes on to the next level. The clustering is
given from outside, so that plain and balanced k-means share everything else here.

Departure from the paper: the mean of all vectors is taken off first. K-means does not notice, but float32
distances between vectors that share a large common part lose digits.

    codebooks {0, 10} and {−1, 1}:  9 → (1, 0),  11 → (1, 1),  −1 → (0, 0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_plugin_sid.kmeans import Clusters, nearest

Clustering = Callable[[Tensor, int, int], Clusters]
"""(residuals [N, d], level, K) → clusters; the codes it gives need not be the nearest centroids."""


@dataclass(frozen=True)
class Quantiser:
    """Frozen codebooks.

    Attributes:
        mean: float32 [d], taken off every vector first.
        codebooks: one float32 [K_l, d] a level.
    """

    mean: NDArray[np.float32]
    codebooks: tuple[NDArray[np.float32], ...]

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.int32]:
        """The nearest code at every level, int32 [N, levels]."""
        residuals = torch.from_numpy(vectors - self.mean)
        codes = np.empty((len(vectors), len(self.codebooks)), dtype=np.int32)
        for level, codebook in enumerate(self.codebooks):
            centroids = torch.from_numpy(codebook)
            found, _ = nearest(residuals, centroids)
            residuals = residuals - centroids[found]
            codes[:, level] = found.numpy()
        return codes

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """The vectors that codes stand for, float32 [N, d]."""
        vectors = np.broadcast_to(self.mean, (len(codes), len(self.mean))).copy()
        for level, codebook in enumerate(self.codebooks):
            vectors += codebook[codes[:, level]]
        return vectors

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep; `from_state` reads them back."""
        return {"mean": self.mean} | {f"codebook.{i}": book for i, book in enumerate(self.codebooks)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Quantiser:
        """The quantiser that `state()` described."""
        levels = sum(name.startswith("codebook.") for name in state)
        return cls(state["mean"], tuple(state[f"codebook.{level}"] for level in range(levels)))


def fit_levels(
    vectors: NDArray[np.float32], sizes: Callable[[int, Tensor], int], levels: int, cluster: Clustering
) -> tuple[Quantiser, NDArray[np.int32], list[float]]:
    """Codebooks for `vectors` (float32 [N, d]), their codes int32 [N, levels], the error left a level.

    `sizes(level, residuals)` says how many codes a level has. Errors are the share of the vectors' variance
    that is still unexplained after each level.
    """
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    residuals = torch.from_numpy(vectors - mean)
    variance = float(residuals.double().square().sum()) or 1.0
    codebooks: list[NDArray[np.float32]] = []
    columns: list[NDArray[np.int32]] = []
    unexplained: list[float] = []
    for level in range(levels):
        clusters = cluster(residuals, level, sizes(level, residuals))
        residuals = residuals - clusters.centroids[clusters.codes]
        codebooks.append(clusters.centroids.numpy())
        columns.append(clusters.codes.numpy().astype(np.int32))
        unexplained.append(float(residuals.double().square().sum()) / variance)
    return Quantiser(mean, tuple(codebooks)), _beside(columns), unexplained


def distinct_rows(matrix: NDArray[np.float32]) -> int:
    """How many different rows a matrix has, compared bit by bit (−0 and 0 are the same)."""
    plain = np.ascontiguousarray(matrix + np.float32(0))
    rows = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1])))[:, 0]
    return len(np.unique(rows))


def _beside(columns: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.ascontiguousarray(np.stack(columns, axis=1))
