"""The recommendations file: per test example what was recommended, in words a person can read.

One JSON line an example, gzipped, with item ids instead of indices; `rank` is 0 when the target was not
among the items:

    {"user":"u1","target":"a7","rank":2,"items":["a3","a7"],"scores":[-0.2,-1.1],"how":["direct","direct"]}
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import View
from genrec_core.evaluation.rankings import Rankings

RECOMMENDATIONS = "recommendations.jsonl.gz"
"""Name of the file in a run folder."""

HOW = {how.value: how.name.lower() for how in How}


def write_recommendations(
    path: Path, view: View, rankings: Rankings, ranks: NDArray[np.int32], items: Items
) -> None:
    """Write the rankings of a view, one line an example, streaming."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        for record in _records(view, rankings, ranks, items):
            file.write(orjson.dumps(record) + b"\n")


def _records(
    view: View, rankings: Rankings, ranks: NDArray[np.int32], items: Items
) -> Iterator[dict[str, Any]]:
    for row, example in enumerate(view.examples()):
        ranked = rankings.top(row)
        yield {
            "user": example.user,
            "target": items.ids[example.target],
            "rank": int(ranks[row]),
            "items": [items.ids[item] for item in ranked.items],
            "scores": [round(float(score), 6) for score in ranked.scores],
            "how": [HOW[how] for how in ranked.how.tolist()],
            "candidates": ranked.candidates,
            "invalid": ranked.invalid,
        }
