"""Buckets: the identifiers that most items share, with some of these items to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.identifiers.prefixes import Prefixes

SHOWN_BUCKETS = 5
SHOWN_ITEMS = 3
LONGEST = 80
"""Characters of an item's text that are shown."""


@dataclass(frozen=True)
class BucketItem:
    """One item of a bucket: its id and the beginning of its text."""

    id: str
    text: str


@dataclass(frozen=True)
class Bucket:
    """An identifier that several items share.

    Attributes:
        identifier: as a model writes it.
        size: how many items have it.
        items: the first of them, in catalogue order.
    """

    identifier: str
    size: int
    items: tuple[BucketItem, ...]


def largest_buckets(identifiers: Identifiers, prefixes: Prefixes, items: Items) -> list[Bucket]:
    """The most crowded identifiers, largest first, ties in catalogue order; empty when none is shared."""
    sizes, first = prefixes.bucket_sizes, prefixes.representatives
    order = np.lexsort((first, -sizes))[:SHOWN_BUCKETS]
    return [_bucket(identifiers, prefixes, items, int(leaf)) for leaf in order if sizes[leaf] > 1]


def _bucket(identifiers: Identifiers, prefixes: Prefixes, items: Items, leaf: int) -> Bucket:
    members = np.flatnonzero(prefixes.leaves == leaf)
    shown = tuple(
        BucketItem(items.ids[item], _cut(items.text(item))) for item in members[:SHOWN_ITEMS].tolist()
    )
    return Bucket(identifiers.text(int(members[0])), len(members), shown)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
