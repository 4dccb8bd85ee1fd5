"""A catalogue with added items, and a summary of them: the content of `items.json`.

{"known": 480, "new": 12, "sharing": {"1": 12, "2": 9}, "colliding": 0,
 "unlike": [{"item": "n7", "cosine": 0.0}], "unlike_below": 0.31,
 "items": [{"item": "n1", "title": "Blue tent", "identifier": "<a_3><b_2>", "shared": 2,
            "companions": ["i17"], "nearest": [{"item": "i17", "title": "Red tent", "cosine": 0.91}]}]}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.evaluation.report.facts import item_title
from genrec_core.identifiers.new_items import nearest_known, new_item_report, unlike_known

LOOKED_UP = 20
"""New items whose nearest known ones are named: for all of many it would take as long as a training."""


@dataclass(frozen=True)
class ExtendedCatalogue:
    """A catalogue with new items behind the known ones.

    Attributes:
        items: all of them.
        identifiers: of all.
        known: how many were there before.
        vectors: embeddings by the tokenizer's encoder, float32 [all, d]; None if it has none.
        folder: the run folder; None when nothing was kept.
    """

    items: Items
    identifiers: Identifiers
    known: int
    vectors: NDArray[np.float32] | None
    folder: Path | None = None


def summary(extended: ExtendedCatalogue) -> dict[str, Any]:
    """What became of the new items, as JSON values."""
    found = new_item_report(extended.identifiers, extended.known)
    items = []
    for place, item in enumerate(range(extended.known, len(extended.items))):
        entry = {
            "item": extended.items.ids[item],
            "title": _title(extended, item),
            "identifier": extended.identifiers.text(item),
            "shared": int(found.shared[place]),
            "companions": [extended.items.ids[other] for other in found.companions[place]],
        }
        if extended.vectors is not None and place < LOOKED_UP:
            entry["nearest"] = [
                {
                    "item": extended.items.ids[other],
                    "title": _title(extended, other),
                    "cosine": round(cosine, 4),
                }
                for other, cosine in nearest_known(extended.vectors, extended.known, item)
            ]
        items.append(entry)
    unlike: dict[str, Any] = {}
    if extended.vectors is not None:
        strange, bar = unlike_known(extended.vectors, extended.known)
        unlike = {
            "unlike": [
                {"item": extended.items.ids[item], "cosine": round(cosine, 4)} for item, cosine in strange
            ],
            "unlike_below": round(bar, 4),
        }
    return {
        "known": extended.known,
        "new": len(items),
        **unlike,
        "sharing": {str(length): count for length, count in enumerate(found.counts, 1)},
        "colliding": found.colliding,
        "items": items,
    }


def _title(extended: ExtendedCatalogue, item: int) -> str:
    return item_title(Catalogue(extended.items, extended.identifiers), item)
