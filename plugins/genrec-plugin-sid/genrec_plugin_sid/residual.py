"""Residual quantisation: each level names what the levels before it left over.

SINGER §2.1: the codebook of a level is found by clustering the current residuals; a vector takes the code of
its nearest centroid, and what the centroid does not explain goes on to the next level. The clustering is
given from outside, so that plain and balanced k-means share everything else here.

    codebooks {0, 10} and {−1, 1}:  9 → (1, 0),  11 → (1, 1),  −1 → (0, 0)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_plugin_sid.clusters import Clusters, nearest
from genrec_plugin_sid.quantiser import Codebooks

Clustering = Callable[[Tensor, int], Clusters]
"""(residuals [N, d], level) → clusters; the codes it gives need not be the nearest centroids."""

CPU = torch.device("cpu")


def encode(latents: NDArray[np.float32], codebooks: Codebooks) -> NDArray[np.int32]:
    """The nearest code at every level, greedily, ties to the lower: float32 [N, d'] → int32 [N, levels]."""
    residuals = torch.from_numpy(latents)
    codes = np.empty((len(latents), len(codebooks)), dtype=np.int32)
    for level, codebook in enumerate(codebooks):
        centroids = torch.from_numpy(codebook)
        found, _ = nearest(residuals, centroids)
        residuals = residuals - centroids[found]
        codes[:, level] = found.numpy()
    return codes


def fit_levels(
    latents: NDArray[np.float32],
    levels: int,
    cluster: Clustering,
    device: torch.device = CPU,
) -> tuple[Codebooks, NDArray[np.int32]]:
    """Codebooks for `latents` (float32 [N, d']) and their codes, int32 [N, levels]."""
    residuals = torch.from_numpy(latents).to(device)
    codebooks: list[NDArray[np.float32]] = []
    codes = np.empty((len(latents), levels), dtype=np.int32)
    for level in range(levels):
        clusters = cluster(residuals, level)
        residuals = residuals - clusters.centroids[clusters.codes]
        codebooks.append(clusters.centroids.cpu().numpy())
        codes[:, level] = clusters.codes.cpu().numpy()
    return tuple(codebooks), codes
