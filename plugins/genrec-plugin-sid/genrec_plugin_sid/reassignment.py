"""Sinkhorn re-assignment: the items of a bucket share out free codes of the last level among them.

After LC-Rec, whose code MiniOneRec and SIDReasoner use: items with the same codes are assigned last codes
again, together, by the Sinkhorn plan of their distances instead of each by its nearest code, for some rounds.

Two departures. Their plan gives all K codes equal shares of, say, two items: converged, it sends items to
codes anywhere, and where they meet others. Here a code takes one item at most and only free codes are in the
plan, so it is nearly the cheapest assignment and nobody outside the bucket is drawn in. An item that no code
suits better than its own stays. And what the rounds leave (items with equal embeddings, and buckets
with more items than free codes) is taken apart by `next_nearest`, where their code lets it be.

    last codebook {0, 1, 5}; items at 0.1 and 0.4 both get 0 → 0.1 stays at 0, 0.4 goes to 1
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genrec_plugin_sid.next_nearest import check_room, next_nearest
from genrec_plugin_sid.paths import Coded, Paths
from genrec_plugin_sid.quantiser import entries

ROUNDS = 20
EPSILON = 3e-3
ITERATIONS = 50
"""As LC-Rec; see `sinkhorn`."""


def reassigned(coded: Coded) -> Paths:
    """Paths without ranks, all different and different from the settled ones.

    Raises:
        GenrecError: there are more items than codes.
    """
    check_room(coded)
    for _ in range(ROUNDS):
        codes = _one_round(coded)
        if np.array_equal(codes, coded.codes):
            break
        coded = replace(coded, codes=codes)
    return next_nearest(coded)


def _one_round(coded: Coded) -> NDArray[np.int32]:
    """Codes after every crowded bucket was shared out once, buckets in the order of their codes."""
    codes, last = coded.codes.copy(), coded.codebooks[-1]
    shared = np.flatnonzero(coded.shared())
    if not len(shared):
        return codes
    bucket = coded.buckets()[1][shared]
    order = shared[np.argsort(bucket, kind="stable")]
    places = coded.latents[order] - entries(coded.codebooks, codes[order]) + last[codes[order, -1]]
    held = _held(coded, {tuple(row) for row in codes[order, :-1].tolist()})
    starts = np.flatnonzero(np.diff(np.sort(bucket))) + 1
    for members, residuals in zip(np.split(order, starts), np.split(places, starts), strict=True):
        counts = held[tuple(codes[members[0], :-1].tolist())]
        counts[codes[members[0], -1]] -= len(members)
        free = np.flatnonzero(counts == 0)
        if len(free):
            codes[members, -1] = free[_shared_out(residuals, last[free])]
        np.add.at(counts, codes[members, -1], 1)
    return codes


def _held(coded: Coded, prefixes: set[tuple[int, ...]]) -> dict[tuple[int, ...], NDArray[np.int64]]:
    """How many items have each last code below these prefixes, int64 [K] each."""
    held = {prefix: np.zeros(len(coded.codebooks[-1]), dtype=np.int64) for prefix in prefixes}
    for codes in (coded.settled[:, :-1], coded.codes):
        for *prefix, code in codes.tolist():
            if (counts := held.get(tuple(prefix))) is not None:
                counts[code] += 1
    return held


def _shared_out(residuals: NDArray[np.float32], entries: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each residual (float32 [n, d']) one of the entries ([m, d']); int64 [n]."""
    # Imports torch, which checking and explaining a pipeline must not.
    import torch

    from genrec_plugin_sid.sinkhorn import sinkhorn

    costs = np.square(residuals[:, None] - entries[None]).sum(axis=2)
    # The cheapest assignment of n items uses the n nearest entries of each and no others.
    near = np.unique(np.argsort(costs, axis=1, kind="stable")[:, : len(costs)])
    costs = costs[:, near]
    # Rows that do not care make room: then a code takes one item, not its equal share of all.
    idle = np.full((max(0, len(near) - len(costs)), len(near)), costs.mean(), dtype=costs.dtype)
    plan = sinkhorn(torch.from_numpy(np.concatenate([costs, idle])), EPSILON, ITERATIONS)
    return np.asarray(near[plan[: len(costs)].argmax(dim=1).numpy()])
