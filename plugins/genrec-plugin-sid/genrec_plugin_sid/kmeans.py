"""K-means: greedy k-means++ seeding, Lloyd's iterations, clusters that ran empty seeded again.

Distances are computed as ‖c‖² − 2x·c, a matrix product a chunk of points at a time, so that memory does not
grow with N × K. Everything is deterministic: randomness comes from the generator given, ties go to the
lower index, and a cluster that lost all its points starts again at the point farthest from its centroid.

    points −1, 0, 9, 11 with k = 2 → centroids −0.5 and 10, codes 0 0 1 1, squared error 2.5
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

CHUNK = 16_384
"""Points a matrix product takes at once: at K = 256 the distances of a chunk are 16 MB."""

SEEDING_SAMPLE = 65_536
"""Seeding reads at most so many points (or 32 a cluster): it passes over them once for every cluster."""


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


def kmeans(
    points: Tensor,
    k: int,
    generator: np.random.Generator,
    *,
    iterations: int = 100,
    tolerance: float = 1e-7,
    advance: Callable[[int], None] = lambda steps: None,
) -> Clusters:
    """Cluster `points` (float32 [N, d]) around `k` centroids.

    Stops after `iterations` updates, or when one lowers the error by no more than `tolerance` of it.
    The codes given back are those of the final centroids, so encoding the same points again agrees.
    """
    centroids = seeds(points, k, generator)
    codes, squared = nearest(points, centroids)
    error, done = _total(squared), 0
    while done < iterations:
        centroids, reseeded = _reseeded(points, codes, squared, k)
        codes, squared = nearest(points, centroids)
        before, error, done = error, _total(squared), done + 1
        advance(1)
        if not reseeded and before - error <= tolerance * before:
            break
    return Clusters(centroids, codes, error, done)


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


def seeds(points: Tensor, k: int, generator: np.random.Generator) -> Tensor:
    """`k` of the points, far from one another: float32 [k, d].

    Each is drawn in proportion to the squared distance from those chosen before; of a few such draws the
    one that lowers the error most is kept (greedy k-means++).
    """
    limit = max(SEEDING_SAMPLE, 32 * k)
    if len(points) > limit:
        chosen = np.sort(generator.choice(len(points), size=limit, replace=False))
        points = points[torch.from_numpy(chosen).to(points.device)]
    trials = 2 + int(math.log(k))
    norms = (points * points).sum(dim=1)
    first = torch.tensor([int(generator.integers(len(points)))], device=points.device)
    found, gaps = [first], _gaps(points, norms, first)[:, 0]
    for _ in range(1, k):
        mass = gaps.double().cumsum(dim=0)
        draws = torch.from_numpy(generator.random(trials)).to(points.device) * mass[-1]
        tried = torch.searchsorted(mass, draws, right=True).clamp_(max=len(points) - 1)
        after = torch.minimum(gaps[:, None], _gaps(points, norms, tried))
        best = int(after.double().sum(dim=0).argmin())
        found.append(tried[best : best + 1])
        gaps = after[:, best]
    return points[torch.cat(found)].clone()


def _gaps(points: Tensor, norms: Tensor, chosen: Tensor) -> Tensor:
    """Squared distance of every point to the chosen ones, [N, len(chosen)]; exactly 0 to itself."""
    gaps = norms[:, None] - 2 * (points @ points[chosen].T) + norms[chosen]
    gaps[chosen, torch.arange(len(chosen), device=points.device)] = 0
    return gaps.clamp_(min=0)


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


def _reseeded(points: Tensor, codes: Tensor, squared: Tensor, k: int) -> tuple[Tensor, bool]:
    """The mean of each cluster, and whether an empty one had to be seeded again."""
    centroids = means(points, codes, k)
    empty = (torch.bincount(codes, minlength=k) == 0).nonzero()[:, 0]
    if not len(empty) or not squared.any():
        return centroids, False
    farthest = torch.argsort(squared, descending=True, stable=True)[: len(empty)]
    centroids[empty[: len(farthest)]] = points[farthest]
    return centroids, True


def _total(squared: Tensor) -> float:
    return float(squared.double().sum())
