"""Clusters of points, and the two steps that k-means of any kind repeats: nearest centroid, mean of each.

Distances are computed as ‖c‖² − 2x·c, a matrix product a chunk of points at a time, so that memory does not
grow with N × K. Ties go to the lower index.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 16_384
"""Points a matrix product takes at once: at K = 256 the distances of a chunk are 16 MB."""


@dataclass(frozen=True)
class Clusters:
    """A clustering of N points.

    Attributes:
        centroids: float32 [K, d].
        codes: int64 [N], the cluster of each point.
        error: sum of squared distances to the centroids.
        iterations: how many updates it took.
    """

    centroids: Tensor
    codes: Tensor
    error: float
    iterations: int


def nearest(points: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """For each point its nearest centroid (int64 [N], ties to the lower) and the squared distance [N]."""
    codes = torch.empty(len(points), dtype=torch.long, device=points.device)
    squared = torch.empty(len(points), dtype=points.dtype, device=points.device)
    norms = (centroids * centroids).sum(dim=1)
    for start in range(0, len(points), CHUNK):
        chunk = points[start : start + CHUNK]
        least, which = torch.addmm(norms, chunk, centroids.T, alpha=-2).min(dim=1)
        codes[start : start + CHUNK] = which
        squared[start : start + CHUNK] = (least + (chunk * chunk).sum(dim=1)).clamp_(min=0)
    return codes, squared


def means(points: Tensor, codes: Tensor, k: int) -> Tensor:
    """The mean of each cluster, float32 [k, d]; zero where a cluster is empty."""
    counts = torch.bincount(codes, minlength=k).clamp(min=1)
    sums = torch.zeros(k, points.shape[1], dtype=points.dtype, device=points.device)
    return sums.index_add_(0, codes, points) / counts[:, None]


def squared_error(points: Tensor, centroids: Tensor, codes: Tensor) -> float:
    """Sum of squared distances to the centroids that codes name, a chunk of points at a time."""
    total = torch.zeros((), dtype=torch.double, device=points.device)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        total += (points[part] - centroids[codes[part]]).square().sum(dtype=torch.double)
    return float(total)
