"""A shop where the words that predict stand in the middle of long texts: learning identifiers should pay.

Every item is of one of 16 kinds, named by a word. What a user chooses next is of the kind that follows, nine
times in ten; which item of it is chance. Three in four items have titles of made-up words and their kind's
word only as the seventh of ten words of their description; the others have it in their title. A generator
that writes the words of titles, as an untrained one does, hides the kind of most items. There are more
items than anybody could learn by heart from so few users.

    title "basil ravok"   description "… nodor kapod basil …"      the kind is plain
    title "milus gobel"   description "… ragim falcon wunit …"     only the description tells
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

KINDS = (
    *("anchor", "basil", "candle", "drum", "ember", "falcon", "garnet", "harbor"),
    *("ivory", "jasper", "kettle", "lantern", "mosaic", "nectar", "onyx", "pepper"),
)
FIRST = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za")
SECOND = ("bel", "dor", "fan", "gim", "kol", "lus", "mar", "nit", "pod", "ras")
PLAIN = 0.25
"""Share of the items that have their kind in the title."""

FOLLOWS = 0.9
"""How often the next item is of the kind that follows."""


def write_shop(folder: Path, items: int = 192, users: int = 180, length: int = 7, seed: int = 1) -> None:
    """The shop as a data folder: `items.jsonl` and `sequences.jsonl`."""
    generator = np.random.default_rng(seed)
    made_up = [first + second for first in FIRST for second in SECOND]
    kinds = np.arange(items) % len(KINDS)
    rows = []
    for item in range(items):
        words = [made_up[place] for place in generator.integers(0, len(made_up), 12)]
        kind = KINDS[kinds[item]]
        title = [kind, words[0]] if generator.random() < PLAIN else words[:2]
        description = [*words[2:8], kind, *words[8:11]]
        rows.append({"item_id": f"i{item}", "title": " ".join(title), "description": " ".join(description)})
    walks = []
    for user in range(users):
        kind, taken = int(generator.integers(len(KINDS))), list[str]()
        for _ in range(length):
            taken.append(f"i{generator.choice(np.flatnonzero(kinds == kind))}")
            follows = generator.random() < FOLLOWS
            kind = (kind + 1) % len(KINDS) if follows else int(generator.integers(len(KINDS)))
        walks.append({"user_id": f"u{user}", "item_ids": taken})
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("items", rows), ("sequences", walks)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
