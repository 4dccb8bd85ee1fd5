"""A large catalogue: naming its items, examining the identifiers, and asking for an item that it lacks.

    python -m tests.benchmarks.large_catalogues                             # 10,000 and 100,000 items
    python -m tests.benchmarks.large_catalogues --items 1000000 --json million.json

Items, titles of six words and vectors of 64 dimensions are made up. Measured, each in a process of its own:

- `fit`: `sid/rq-kmeans` with three levels of 256, `balance: constrained`, and each collision policy named;
- `doctor`: `genrec doctor` on identifiers of four tokens, with neighbours and near-duplicates;
- `unknown`: how long it takes to say that no item is called as was typed, where 17 letters are new and where
  the first word is that of many titles.

Seconds are processor seconds of one thread. Memory is the peak of the process less what it had before, when
items and vectors were there already. Growth is the exponent between neighbouring sizes: 1 is linear.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from genrec_plugin_sid.rq_kmeans import RQKMeans

from genrec_core import Context, Encoder, Identifiers, Items, Sequences, View
from genrec_core.cli.finding import find_items
from genrec_core.contracts.errors import GenrecError
from genrec_core.identifiers.diagnosis.diagnosis import IdentifierInputs, examine
from tests.benchmarks.measuring import argument_parser, machine, ratio, write
from tests.benchmarks.quantisers import blobs

DIMENSIONS, LEVELS, K = 64, 3, 256
WORDS = 20_000
TYPED = ("zzzzzzzzzzzzzzzzz", "w17 of nothing that is sold")


class Kept(Encoder):
    """Gives the rows of a matrix, whatever the texts say."""

    rows: np.ndarray

    def encode(self, texts: Any, state: Any, context: Context) -> np.ndarray:
        """The matrix."""
        return self.rows


def made_up(count: int) -> Items:
    """Items with titles of six words of `WORDS`."""
    words = np.random.default_rng(count).integers(0, WORDS, (count, 6))
    titles = [" ".join(f"w{word}" for word in row) for row in words.tolist()]
    return Items(tuple(f"item-{number}" for number in range(count)), {"title": titles})


def fit(count: int, policy: str) -> Callable[[], dict[str, Any]]:
    """Fitting `sid/rq-kmeans`."""
    items, encoder = made_up(count), Kept()
    encoder.rows = blobs(count, DIMENSIONS)
    shape = {"levels": LEVELS, "codes": K, "balance": "constrained", "device": "cpu"}
    tokenizer = RQKMeans(encoder=encoder, collisions=policy, **shape)

    def run() -> dict[str, Any]:
        nobody = View("train", (), Sequences.of([]), None, 1)
        identifiers = tokenizer.fit(items, nobody, Context(seed=7))
        return {"distinct identifiers": len({identifiers.tokens(item) for item in range(count)})}

    return run


def doctor(count: int) -> Callable[[], dict[str, Any]]:
    """Examining identifiers of four tokens."""
    items, vectors = made_up(count), blobs(count, DIMENSIONS)
    codes = np.stack([np.arange(count) // 256**level % 256 for level in range(3)], axis=1)
    identifiers = Identifiers.of(
        [tuple(f"<{level}_{code}>" for level, code in enumerate((*row, 0))) for row in codes.tolist()]
    )

    def run() -> dict[str, Any]:
        found = examine(IdentifierInputs(identifiers, items, lambda: vectors, "made up"))
        assert found.neighbours is not None
        return {"items asked for their neighbours": found.neighbours.queries}

    return run


def unknown(count: int) -> Callable[[], dict[str, Any]]:
    """Looking for items that nobody has."""
    items = made_up(count)

    def run() -> dict[str, Any]:
        taken = {}
        for text in TYPED:
            begin = time.process_time()
            try:
                find_items(text, items)
            except GenrecError as refused:
                taken[f"`{text}`, {refused.hint}"] = round(time.process_time() - begin, 2)
        return taken

    return run


def measured(make: Callable[..., Callable[[], dict[str, Any]]], *given: Any) -> dict[str, Any]:
    """Processor seconds and memory of what `make` prepares."""
    run = make(*given)
    before, begin = _peak(), time.process_time()
    found = run()
    return {
        "seconds": round(time.process_time() - begin, 1),
        "more memory MB": round(_peak() - before),
        **found,
    }


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Print a line a measurement."""
    options = argument_parser(__doc__ or "")
    options.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument(
        "--policies", nargs="+", default=["next-nearest"], help="collision policies to fit with"
    )
    options.add_argument("--only", default="", help="fit, doctor or unknown")
    chosen = options.parse_args()
    rows: list[dict[str, Any]] = []
    ratios: dict[str, Any] = {}
    asked = [("fit", fit, policy) for policy in chosen.policies] + [("doctor", doctor), ("unknown", unknown)]
    print(machine())
    for what, make, *more in asked:
        if chosen.only not in ("", what):
            continue
        name, last = " ".join([what, *more]), None
        for count in [1_000] if chosen.quick else chosen.items:
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                row = {"what": name, "items": count} | alone.apply(measured, (make, count, *more))
            rows.append(row)
            print(row, flush=True)
            if last is not None and what != "unknown":
                grown = np.log(row["seconds"] / last["seconds"]) / np.log(count / last["items"])
                ratios[f"{name} {last['items']:,} → {count:,}: exponent"] = ratio(grown, "linear growth", 1.1)
            last = row
    for name, value in ratios.items():
        print(f"{name}: {value['value']} against {value['against']} (goal {value['goal']})")
    write(chosen.json, ratios, rows)


if __name__ == "__main__":
    main()
