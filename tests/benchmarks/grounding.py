"""Structural grounding: an inverted index against scoring every item, and against a matrix comparison.

    python -m tests.benchmarks.grounding --json grounding.json

1,000 texts of five terms, none of them an identifier, are grounded one request at a time as a pipeline does
it. Terms follow a Zipf law, so some stand in thousands of identifiers. The goals are the acceptance check's:
under 1 s for 20,000 items and under 2 s for 100,000, on one core.

- `index`: `grlm/eig`, with the time to build its index in a column of its own;
- `matrix`: NumPy compares all identifiers' codes with the text and sums weights, for each text;
- `loop`: Eq. 4 written down in Python, on 20 texts and scaled to all of them.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from genrec_plugin_grlm.eig import ElasticGrounding
from genrec_plugin_grlm.term_index import TermIndex

from genrec_core import Candidate, Candidates, Catalogue, Context, Identifiers, Items
from tests.benchmarks.measuring import arguments, machine, medians, ratio, write

TERMS, LENGTH, QUERIES, LOOPED = 20_000, 5, 1_000, 20
GOALS = {20_000: 1.0, 100_000: 2.0}
Codes = np.ndarray[Any, np.dtype[np.int64]]


def world(items: int) -> tuple[Catalogue, Codes, Codes]:
    """A catalogue, its codes [N, 5] and the texts' codes [1000, 5]: items with some terms changed."""
    generator = np.random.default_rng(items)
    law = 1.0 / np.arange(1, TERMS + 1)
    codes = generator.choice(TERMS, size=(items, LENGTH), p=law / law.sum())
    asked = codes[generator.integers(items, size=QUERIES)].copy()
    asked[np.arange(QUERIES), generator.integers(LENGTH, size=QUERIES)] = TERMS
    asked[np.arange(QUERIES), generator.integers(LENGTH, size=QUERIES)] = generator.integers(
        TERMS, size=QUERIES
    )
    rows = [tuple(f"t{code}" for code in row) for row in codes.tolist()]
    catalogue = Catalogue(
        Items(tuple(map(str, range(items))), {}),
        Identifiers.of(rows, separator=" "),
        np.bincount(generator.integers(items, size=items), minlength=items).astype(np.int64),
    )
    return catalogue, codes, asked


def by_matrix(codes: Codes, asked: Codes) -> list[int]:
    """The best item of each text by comparing all of them."""
    weights = 1.0 / np.arange(2, LENGTH + 2)
    return [int(((codes == row) @ weights).argmax()) for row in asked]


def by_loop(codes: list[list[int]], asked: list[list[int]]) -> list[int]:
    """The best item of each text, item by item."""
    found = []
    for row in asked:
        scores = [sum(1 / (j + 2) for j in range(LENGTH) if item[j] == row[j]) for item in codes]
        found.append(scores.index(max(scores)))
    return found


def measured(items: int, repeats: int) -> dict[str, Any]:
    """Seconds of every contestant at one size."""
    catalogue, codes, asked = world(items)
    catalogue.identifiers.items_of(())  # the table of identifiers is not the index
    begin = time.perf_counter()
    index = TermIndex(catalogue.identifiers)
    index.by_position(("t0",))
    built = time.perf_counter() - begin
    texts = [Candidates((Candidate(tuple(f"t{code}" for code in row), 0.0),)) for row in asked.tolist()]
    position = ElasticGrounding().open(catalogue, Context())
    anywhere = ElasticGrounding(match="anywhere", partial=0).open(catalogue, Context())
    popular = ElasticGrounding(ties="popularity", collisions="popularity").open(catalogue, Context())
    rows = codes.tolist()
    seconds = medians(
        {
            "index": lambda: [position.ground(text) for text in texts],
            "index, popular first": lambda: [popular.ground(text) for text in texts],
            "index, anywhere": lambda: [anywhere.ground(text) for text in texts],
            "matrix": lambda: by_matrix(codes, asked),
            "loop": lambda: by_loop(rows, asked[:LOOPED].tolist()),
        },
        repeats,
    )
    seconds["loop"] *= QUERIES / LOOPED
    return {"items": items, "queries": QUERIES, "build": built, **seconds}


def main() -> None:
    """Print a line a size."""
    options = arguments(__doc__ or "")
    print(machine())
    rows, ratios = [], {}
    for items, goal in GOALS.items():
        row = measured(items, repeats=1 if options.quick else 3)
        rows.append(row)
        print({name: round(value, 4) for name, value in row.items()}, flush=True)
        ratios[f"{items:,} items: seconds of {QUERIES:,} groundings"] = ratio(row["index"], "the goal", goal)
        ratios[f"{items:,} items: matrix / index"] = ratio(
            row["matrix"] / row["index"], "NumPy over all items"
        )
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
