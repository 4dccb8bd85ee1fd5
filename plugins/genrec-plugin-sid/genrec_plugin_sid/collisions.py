"""Collisions: what to do with items that got the same codes.

A policy turns codes into paths (`paths`). It is also given the paths already settled, which it may not
change: that is how new items are named beside old ones.

`suffix` (SINGER §2.1): every member of a crowded bucket gets a rank, in catalogue order, so identifiers are
one token longer there. A new item that meets a settled one takes the next free rank; the settled one keeps
its name, with or without a rank.

    codes (1, 2) (1, 2) (3, 4) → paths (1, 2, 0) (1, 2, 1) (3, 4, −1);  a new (3, 4) → (3, 4, 0)

`next-nearest`: one item of a bucket keeps the codes, the others move to free ones nearby (`next_nearest`).

`sinkhorn`: the items of a bucket share out the free codes at the last level among them (`reassignment`).

`keep`: items share the identifier, and grounding has to say which of them is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from genrec_plugin_sid.next_nearest import next_nearest
from genrec_plugin_sid.paths import Coded, Paths, place_within, unranked, with_ranks
from genrec_plugin_sid.reassignment import reassigned

CollisionPolicy = Callable[[Coded], Paths]
PolicyName = Literal["suffix", "next-nearest", "sinkhorn", "keep"]


def keep(coded: Coded) -> Paths:
    """Paths without ranks."""
    return unranked(coded.codes)


def suffix(coded: Coded) -> Paths:
    """Paths with a rank wherever the codes alone are shared, also with a settled item."""
    settled, mine = coded.buckets()
    free = np.zeros(max(settled.max(initial=-1), mine.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(free, settled, coded.settled[:, -1].astype(np.int64) + 1)
    return with_ranks(coded.codes, np.where(coded.shared(), free[mine] + place_within(mine), -1))


POLICIES: Mapping[PolicyName, CollisionPolicy] = {
    "suffix": suffix,
    "next-nearest": next_nearest,
    "sinkhorn": reassigned,
    "keep": keep,
}
