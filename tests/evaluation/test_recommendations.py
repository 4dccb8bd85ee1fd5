"""The recommendations file."""

from __future__ import annotations

import gzip

import orjson
from evaluation_rows import int32, labelled_view, ranked

from genrec_core.contracts.items import Items
from genrec_core.evaluation.rankings import RECOMMENDATIONS, Rankings, write_recommendations


def test_each_example_is_one_line_with_ids_ranks_and_how_items_were_reached(tmp_path):
    items = Items(("a", "b", "c"), {})
    rankings = Rankings.of([ranked([2, 1], candidates=3, invalid=1), ranked([])], 5)
    write_recommendations(
        tmp_path / RECOMMENDATIONS, labelled_view([[0], [1]], [1, 0]), rankings, int32(2, 0), items
    )
    lines = gzip.decompress((tmp_path / RECOMMENDATIONS).read_bytes()).splitlines()
    first, second = (orjson.loads(line) for line in lines)
    assert first == {
        "user": "u0",
        "target": "b",
        "rank": 2,
        "items": ["c", "b"],
        "scores": [0.0, -1.0],
        "how": ["direct", "direct"],
        "candidates": 3,
        "invalid": 1,
    }
    assert (second["rank"], second["items"]) == (0, [])
