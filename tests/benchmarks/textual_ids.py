"""Textual identifiers of a whole catalogue: whether all differ, how hard that was, and what batching gains.

    python -m tests.benchmarks.textual_ids --quick
    python -m tests.benchmarks.textual_ids --json textual_ids.json

A small T5 is taught to write tags of Amazon Beauty's 12,101 items, and names them all by Algorithm 1 (k = 5).
Printed: how many identifiers differ, the share of items that needed a second diversity penalty and a longer
window (the paper has 11.2 % and 3.7 % on its fusion of 233,323 items, with another model), and how fast many
items at once are named against one at a time, by the same model, on a sample of the catalogue. Times are
processor seconds of one thread, so that other programs on the machine do not count; the two maps of the
sample are compared, too. `--quick` takes 1,000 items. Needs the data folder `amazon-beauty`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.tags import item_tags, tag_fields
from genrec_plugin_idgenrec.teaching import teach
from genrec_plugin_idgenrec.unique import PENALTIES, UniqueTexts
from genrec_plugin_idgenrec.writing import Writing

from genrec_core import Catalogue, Context, Identifiers, Items
from genrec_core.builtin.tiny_backbones import TinySeq2Seq
from genrec_core.data.defects import Defects
from genrec_core.data.item_file import read_items
from genrec_core.engine import SFTSettings
from tests.benchmarks.measuring import argument_parser, machine, ratio, write
from tests.benchmarks.study import SHARED

WRITING = Writing(text_tokens=48, extensions=9)
SHAPE = {"hidden": 64, "layers": 2, "heads": 4, "intermediate": 128, "vocabulary": 2000}
GOAL = 20.0


def beauty(count: int | None) -> Items:
    """The catalogue, or its first items."""
    defects = Defects()
    items, _ = read_items(SHARED / "amazon-beauty" / "items.jsonl.gz", defects)
    defects.refuse()
    return items if count is None else items.subset(range(count))


def taught(items: Items, epochs: int) -> Generator:
    """A generator that has learnt to write tags, with the seconds that took printed."""
    begin = time.process_time()
    model = TinySeq2Seq(**SHAPE).build(
        Catalogue(items, Identifiers.of([("-",)] * len(items))), Context(seed=1)
    )

    def fits(text: str) -> bool:
        return len(model.tokenise([text])[0]) < WRITING.window

    tags = item_tags(items, tag_fields(items), 5, fits)
    settings = SFTSettings(epochs=epochs, learning_rate=4e-3, batch_size=64, keep="last", patience=None)
    teach(Generator(model, items, WRITING, tags=[tags]), settings, Context(seed=1))
    print(f"taught for {epochs} epochs in {time.process_time() - begin:.0f} processor seconds", flush=True)
    return Generator(model, items, WRITING)


def timed(generator: Generator, places: list[int], at_once: int | None) -> tuple[UniqueTexts, float]:
    """The names of some items, and the processor seconds it took."""
    begin = time.process_time()
    named = generator.name_all(places, Context(), at_once=at_once)
    return named, time.process_time() - begin


def main() -> None:
    """Teach, name everything, then a sample both ways."""
    parser = argument_parser(__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--epochs", type=int, help="of teaching")
    chosen = parser.parse_args()
    print(machine())
    items = beauty(1000 if chosen.quick else None)
    generator = taught(items, chosen.epochs or (12 if chosen.quick else 6))
    everything = list(range(len(items)))
    named, seconds = timed(generator, everything, None)
    keys = generator.keys(named.texts)
    distinct, empty = len(set(keys)), sum(not key for key in keys)
    row: dict[str, Any] = {
        "items": len(items),
        "distinct": distinct,
        "empty": empty,
        "second penalty": named.share_beyond(0),
        "longer window": named.share_beyond(PENALTIES - 1),
        "attempts": named.asked,
        "longest attempt": max(named.attempts),
        "processor seconds": seconds,
        "examples": [
            [items.value(item, "title"), named.texts[item]] for item in range(0, len(items), len(items) // 8)
        ],
    }
    print(
        f"{len(items):,} items: {distinct:,} identifiers, {empty} empty; a second penalty for "
        f"{row['second penalty']:.1%} (paper 11.2 %), a longer window for {row['longer window']:.1%} (paper "
        f"3.7 %), {named.asked:,} attempts, {seconds:.0f} processor seconds",
        flush=True,
    )
    for title, text in row["examples"]:
        print(f"    {title}  →  {text}")
    sample = np.random.default_rng(0).choice(len(items), 40 if chosen.quick else 100, replace=False)
    few = sorted(sample.tolist())
    alone, slow = timed(generator, few, 1)
    many = sorted(np.random.default_rng(1).choice(len(items), min(len(items), 1000), replace=False).tolist())
    together, quick = timed(generator, many, None)
    both, _ = timed(generator, few, None)
    gain = (slow / len(few)) / (quick / len(many))
    print(
        f"one at a time {1000 * slow / len(few):.1f} ms an item, {len(many):,} at once "
        f"{1000 * quick / len(many):.2f} ms: {gain:.1f} times; the same map of {len(few)} items: "
        f"{both.texts == alone.texts}"
    )
    row["same map"] = both.texts == alone.texts
    row["attempts together"] = together.asked
    write(chosen.json, {"items named at once": ratio(gain, "one item at a time", GOAL)}, [row])


if __name__ == "__main__":
    main()
