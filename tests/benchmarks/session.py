"""One request to an open recommender, against opening it anew for every call.

    python -m tests.benchmarks.session --quick      # the quickstart's size alone
    python -m tests.benchmarks.session --json session.json

Contestants, on the same model, catalogue and requests, beams of 20:

- `open session`: `Recommender.open` and `Grounder.open` once, then one request a call;
- `opened anew`: both are opened and the trie compiled for every request, as every call did before sessions.

Sizes are those of the quickstart (500 items) and of Amazon Beauty (12,101 items): identifiers of three codes
and a suffix, histories of 20 items, untrained weights (speed does not depend on them). The requests before
the measured ones warm both up.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from genrec_core import Catalogue, Context, Identifiers, Items, Request
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.exact import Exact
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from tests.benchmarks.measuring import arguments, machine, medians, ratio, write

GOALS = {500: 0.030, 12_101: 0.060}
"""Items → seconds that one request to an open session may take."""
REQUESTS, HISTORY, GOAL = 16, 20, 10.0


def catalogue_of(items: int, codes: int = 256) -> Catalogue:
    """Items with random identifiers of three shared codes and a suffix that tells equal ones apart."""
    generator = np.random.default_rng(items)
    seen: dict[tuple[int, ...], int] = {}
    rows = []
    for row in generator.integers(codes if items > codes else 32, size=(items, 3)).tolist():
        seen[tuple(row)] = seen.get(tuple(row), -1) + 1
        path = [f"<{level}_{code}>" for level, code in zip("abc", row, strict=True)]
        rows.append((*path, f"<d_{seen[tuple(row)]}>"))
    tokens = sorted({token for row in rows for token in row})
    return Catalogue(Items(tuple(map(str, range(items))), {}), Identifiers.of(rows, new_tokens=tokens))


def measured(items: int, repeats: int) -> dict[str, Any]:
    """Median seconds of one request, in both ways."""
    catalogue, context = catalogue_of(items), Context()
    models = {"main": TinyCausal().build(catalogue, context)}
    beam, exact, prompts = Beam(beams=20), Exact(), {"main": NextItem(separator="")}
    generator = np.random.default_rng(1)
    requests = [
        Request(f"u{row}", tuple(generator.integers(items, size=HISTORY).tolist())) for row in range(REQUESTS)
    ]
    with beam.open(models, catalogue, prompts, context) as session, exact.open(catalogue, context) as ground:
        turns: dict[str, Iterator[Request]] = {"open": cycle(requests), "anew": cycle(requests)}

        def opened() -> None:
            for answer in session.recommend([next(turns["open"])]):
                ground.ground(answer)

        def anew() -> None:
            models["main"].compiled.clear()
            with beam.open(models, catalogue, prompts, context) as one, exact.open(catalogue, context) as two:
                for answer in one.recommend([next(turns["anew"])]):
                    two.ground(answer)

        seconds = medians({"open session": opened, "opened anew": anew}, repeats)
    return {"items": items, "repeats": repeats, **seconds}


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__ or "")
    sizes = [500] if options.quick else list(GOALS)
    rows = [measured(items, 10 if options.quick else 30) for items in sizes]
    ratios = {}
    for row in rows:
        gain = row["opened anew"] / row["open session"]
        ratios[f"{row['items']:,} items"] = ratio(gain, "opened anew", GOAL)
        print(
            f"{row['items']:>7,} items: open session {1000 * row['open session']:6.1f} ms"
            f" (goal {1000 * GOALS[row['items']]:.0f}), opened anew {1000 * row['opened anew']:7.1f} ms,"
            f" {gain:.1f}x (goal {GOAL:.0f}x)"
        )
    print(machine())
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
