"""K-means: an even start, Lloyd's iterations, clusters that ran empty seeded again.

The start is greedy k-means++, then one assignment in which every seed gets equally many points (`market`).
Without it, seeds among the residuals of later levels, which are little but noise, are far points that keep a
cluster to themselves: on embeddings of Amazon Beauty up to half of the third level's codes named two items at
most. With it none did, and the error was 0.1, 0.7 and 3.2 % lower at the three levels, in about equal time.

Everything is deterministic: randomness comes from the generator given, ties go to the lower index, and a
cluster that lost all its points starts again at the point farthest from its centroid.

    points −1, 0, 9, 11 with k = 2 → centroids −0.5 and 10, codes 0 0 1 1, squared error 2.5
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from genrec_plugin_sid.clusters import Clusters, means, nearest
from genrec_plugin_sid.market import Bounds, Market, assign

SAMPLE = 65_536
"""The start reads at most so many points (or 32 a cluster): it passes over them once for every cluster."""


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
    centroids = start(points, k, generator)
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


def start(points: Tensor, k: int, generator: np.random.Generator) -> Tensor:
    """Centroids to begin with: the means of equally many points around each seed; float32 [k, d]."""
    limit = max(SAMPLE, 32 * k)
    if len(points) > limit:
        chosen = np.sort(generator.choice(len(points), size=limit, replace=False))
        points = points[torch.from_numpy(chosen).to(points.device)]
    centroids = seeds(points, k, generator)
    if len(points) < k:
        return centroids
    codes, _ = assign(
        Market.of(points, centroids), Bounds.even(len(points), k), torch.zeros_like(centroids[:, 0])
    )
    return means(points, codes, k)


def seeds(points: Tensor, k: int, generator: np.random.Generator) -> Tensor:
    """`k` of the points, far from one another: float32 [k, d].

    Each is drawn in proportion to the squared distance from those chosen before; of a few such draws the
    one that lowers the error most is kept (greedy k-means++).
    """
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
