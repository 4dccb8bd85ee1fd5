"""Collisions: what to do with items that got the same codes.

A policy turns codes [N, levels] into paths [N, levels + 1]; the last column is the rank that tells apart
items of one bucket, −1 for an item that needs none. It is also given the paths already settled, which it may
not change: that is how new items are named beside old ones.

`suffix` (SINGER §2.1): every member of a crowded bucket gets a rank, in catalogue order, so identifiers are
one token longer there. A new item that meets a settled one takes the next free rank; the settled one keeps
its name, with or without a rank.

    codes (1, 2) (1, 2) (3, 4) → paths (1, 2, 0) (1, 2, 1) (3, 4, −1);  a new (3, 4) → (3, 4, 0)

`keep`: items share the identifier, and grounding has to say which of them is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Paths = NDArray[np.int32]
Policy = Callable[[NDArray[np.int32], Paths], Paths]
PolicyName = Literal["suffix", "keep"]


def keep(codes: NDArray[np.int32], settled: Paths) -> Paths:
    """Paths without ranks."""
    return _with_ranks(codes, np.full(len(codes), -1, dtype=np.int32))


def suffix(codes: NDArray[np.int32], settled: Paths) -> Paths:
    """Paths with a rank wherever the codes alone are shared, also with a settled item."""
    old = len(settled)
    both = np.concatenate([settled[:, :-1], codes])
    _, bucket = np.unique(both, axis=0, return_inverse=True)
    bucket = bucket.reshape(-1)
    buckets = int(bucket.max(initial=-1)) + 1
    met = np.bincount(bucket[:old], minlength=buckets) > 0
    free = np.zeros(buckets, dtype=np.int64)
    np.maximum.at(free, bucket[:old], settled[:, -1].astype(np.int64) + 1)
    mine = bucket[old:]
    crowded = met | (np.bincount(mine, minlength=buckets) > 1)
    ranks = np.where(crowded[mine], free[mine] + _place_within(mine), -1)
    return _with_ranks(codes, ranks.astype(np.int32))


POLICIES: Mapping[PolicyName, Policy] = {"suffix": suffix, "keep": keep}


def _place_within(bucket: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many earlier ones are in the same bucket."""
    order = np.argsort(bucket, kind="stable")
    ordered = bucket[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    places = np.empty(len(bucket), dtype=np.int64)
    places[order] = np.arange(len(bucket)) - starts
    return places


def _with_ranks(codes: NDArray[np.int32], ranks: NDArray[np.int32]) -> Paths:
    return np.concatenate([codes, ranks[:, None]], axis=1).astype(np.int32)
