"""Protocol: what a number was measured under, with a hash that two comparable numbers share.

The hash covers the split and its options, the history cut, the test rows themselves (user, visible
history, target, in order), the candidates (which items, by their ids) and whether viewed items are taken
out of rankings. A figure without it says nothing: the same model gains a fifth by filtering viewed items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson

from genrec_core.contracts.items import Items
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import View
from genrec_core.store.content import fingerprint

ALL_ITEMS = "all items"
_HASH_DIGITS = 12


@dataclass(frozen=True)
class Protocol:
    """One way of measuring.

    Attributes:
        split: the split's identity: name, version, options.
        max_history: how many of the newest items before a target may be used.
        rows: how many test rows there are.
        targets: digest of the test rows, as 64 hex digits.
        catalogue: digest of the item ids in order.
        items: how many items compete for every row.
        candidates: which items compete: every item of the catalogue, or those of the request's domain.
        filter_viewed: whether items of the visible history are taken out of rankings.
        limit: how many users were used where a pipeline was only tried; None for all data.
    """

    split: Mapping[str, Any] = field(hash=False)
    max_history: int
    rows: int
    targets: str
    catalogue: str
    items: int
    candidates: str = ALL_ITEMS
    filter_viewed: bool = False
    limit: int | None = None

    def asked(self, filter_viewed: bool, domain_field: str = "") -> Protocol:
        """The same protocol with viewed items filtered or not, and candidates of one domain or of all."""
        candidates = f"items of the request's domain (`{domain_field}`)" if domain_field else ALL_ITEMS
        return replace(self, filter_viewed=filter_viewed, candidates=candidates)

    @cached_property
    def hash(self) -> str:
        """Twelve hex digits; equal for results that may stand in one column."""
        return fingerprint(self.plain())[:_HASH_DIGITS]

    def plain(self) -> dict[str, Any]:
        """Everything but the hash, as JSON values; `Protocol(**plain)` is the protocol again."""
        return {
            "split": dict(self.split),
            "max_history": self.max_history,
            "rows": self.rows,
            "targets": self.targets,
            "catalogue": self.catalogue,
            "items": self.items,
            "candidates": self.candidates,
            "filter_viewed": self.filter_viewed,
            **({} if self.limit is None else {"limit": self.limit}),
        }

    def described(self) -> dict[str, Any]:
        """What metrics are printed with: `plain()` and the hash."""
        return {**self.plain(), "hash": self.hash}


def protocol_of(items: Items, test: View, split: Split, filter_viewed: bool = False) -> Protocol:
    """The protocol that the rows of a test view stand for."""
    return Protocol(
        split=split.identity(),
        max_history=test.max_history,
        rows=len(test),
        targets=_rows_digest(items, test),
        catalogue=hashlib.sha256(orjson.dumps(items.ids)).hexdigest(),
        items=len(items),
        filter_viewed=filter_viewed,
    )


def _rows_digest(items: Items, test: View) -> str:
    body = hashlib.sha256()
    for example in test.examples():
        history = [items.ids[item] for item in example.history]
        body.update(orjson.dumps([example.user, history, items.ids[example.target], example.domain]) + b"\n")
    return body.hexdigest()
