"""Balanced k-means: every cluster gets ⌊N/K⌋ or ⌈N/K⌉ points, strictly (SINGER appendix B).

Lloyd's iterations with an assignment that respects the bounds (`market`). Prices are kept from one iteration
to the next, so few steps suffice.

    points 0, 1, 2, 9 with k = 2 → sizes 2 and 2: {0, 1} and {2, 9}, where plain k-means takes {0, 1, 2}, {9}
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from genrec_plugin_sid.clusters import Clusters, means, squared_error
from genrec_plugin_sid.kmeans import kmeans
from genrec_plugin_sid.market import Bounds, Market, assign

START = 3
"""Plain iterations that place the centroids before bounds are enforced."""

WHOLE = 16_384
"""Of more points, a sample of so many (or 64 a cluster) places the centroids before all are assigned: the
number of updates until nothing improves grows with the points, and so does the price of each."""

FINISH = 4
"""Most updates on all points behind a sample."""

PATIENCE = 3
"""Updates in a row without a better clustering before it is called done."""


def balanced_kmeans(
    points: Tensor,
    k: int,
    generator: np.random.Generator,
    *,
    iterations: int = 100,
    tolerance: float = 1e-7,
    advance: Callable[[int], None] = lambda steps: None,
) -> Clusters:
    """Cluster `points` (float32 [N, d], N ≥ k) around `k` centroids, clusters of one size, give or take one.

    Stops after `iterations` updates, or when a few in a row do not lower the error by more than `tolerance`
    of it (the assignment is only nearly the cheapest, so one may fail by chance). The best clustering seen
    is returned. Its codes need not be the nearest centroids.
    """
    limit = max(WHOLE, 64 * k)
    if len(points) > limit:
        chosen = np.sort(generator.choice(len(points), size=limit, replace=False))
        sample = points[torch.from_numpy(chosen).to(points.device)]
        placed = balanced_kmeans(
            sample, k, generator, iterations=iterations, tolerance=tolerance, advance=advance
        )
        centroids, iterations = placed.centroids, min(FINISH, iterations)
    else:
        centroids = kmeans(points, k, generator, iterations=min(START, iterations)).centroids
    bounds = Bounds.even(len(points), k)
    prices = torch.zeros(k, dtype=points.dtype, device=points.device)
    best, idle = None, 0
    for done in range(1, iterations + 1):
        market = Market.of(points, centroids)
        codes, prices = assign(market, bounds, prices)
        centroids = means(points, codes, k)
        error = squared_error(points, centroids, codes)
        advance(1)
        idle = idle + 1 if best is not None and best.error - error <= tolerance * best.error else 0
        if best is None or error < best.error:
            best = Clusters(centroids, codes, error, done)
        if idle == PATIENCE:
            break
    assert best is not None, "iterations is at least 1"
    return best
