"""Grown catalogues, and what is told about them: the content of `items.json`.

{"known": 480, "new": 12, "sharing": {"1": 12, "2": 9}, "colliding": 0,
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
from genrec_core.evaluation.report.examples import item_title
from genrec_core.identifiers.arrivals import arrivals, nearest_known

LOOKED_UP = 20
"""New items whose nearest known ones are told: for all of many it would take as long as a training."""


@dataclass(frozen=True)
class Grown:
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


def told(grown: Grown) -> dict[str, Any]:
    """What became of the new items, as JSON values."""
    found = arrivals(grown.identifiers, grown.known)
    items = []
    for place, item in enumerate(range(grown.known, len(grown.items))):
        entry = {
            "item": grown.items.ids[item],
            "title": _title(grown, item),
            "identifier": grown.identifiers.text(item),
            "shared": int(found.shared[place]),
            "companions": [grown.items.ids[other] for other in found.companions[place]],
        }
        if grown.vectors is not None and place < LOOKED_UP:
            entry["nearest"] = [
                {"item": grown.items.ids[other], "title": _title(grown, other), "cosine": round(cosine, 4)}
                for other, cosine in nearest_known(grown.vectors, grown.known, item)
            ]
        items.append(entry)
    return {
        "known": grown.known,
        "new": len(items),
        "sharing": {str(length): count for length, count in enumerate(found.counts, 1)},
        "colliding": found.colliding,
        "items": items,
    }


def _title(grown: Grown, item: int) -> str:
    return item_title(Catalogue(grown.items, grown.identifiers), item)
