"""A shop where the word that predicts stands in the middle of long texts: learning identifiers should pay.

Every item is of one of 12 kinds, named by a word. A user keeps to one kind, nine times in ten; which item of
it is chosen is chance. One item in three has two keywords, its kind's word and another; the others have ten,
and their kind's word stands in the middle of nine that say nothing. There are more items than anybody could
learn by heart from so few users, and an identifier of two words has no room for ten.

    keywords "basil,ravo"                                        the kind is plain
    keywords "milu,gobe,fado,zate,falcon,nipo,kelu,vora,suda,bemi"   only the middle tells
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

KINDS = (
    *("anchor", "basil", "candle", "drum", "ember", "falcon"),
    *("garnet", "harbor", "ivory", "jasper", "kettle", "lantern"),
)
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
OTHERS, LONG = 36, 9
"""Words that say nothing, and how many of them a long text has."""

PLAIN = 1 / 3
"""Share of the items that have few keywords."""

KEPT = 0.9
"""How often a user keeps to the kind."""


def write_shop(folder: Path, items: int = 384, users: int = 500, length: int = 6, seed: int = 101) -> None:
    """The shop as a data folder: `items.jsonl` and `sequences.jsonl`."""
    generator = np.random.default_rng(seed)
    others = _made_up(generator)
    kinds = np.arange(items) % len(KINDS)
    rows = []
    for item in range(items):
        words = [others[place] for place in generator.permutation(OTHERS)[:LONG]]
        if generator.random() < PLAIN:
            words = words[:1]
        words.insert(len(words) // 2, KINDS[kinds[item]])
        rows.append({"item_id": f"i{item}", "keywords": ",".join(words)})
    walks = []
    for user in range(users):
        own, taken = generator.integers(len(KINDS)), list[str]()
        for _ in range(length):
            kind = own if generator.random() < KEPT else generator.integers(len(KINDS))
            taken.append(f"i{generator.choice(np.flatnonzero(kinds == kind))}")
        walks.append({"user_id": f"u{user}", "item_ids": taken})
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("items", rows), ("sequences", walks)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _made_up(generator: np.random.Generator) -> list[str]:
    """Words that say nothing: consonant, vowel, consonant, vowel."""
    every = [a + b + c + d for a in CONSONANTS for b in VOWELS for c in CONSONANTS for d in VOWELS]
    return [every[place] for place in generator.permutation(len(every))[:OTHERS].tolist()]


def share_telling(keywords: Sequence[str], identifiers: Sequence[str]) -> float:
    """Of the items with long texts, the share whose identifier holds their kind's word."""
    found = []
    for text, identifier in zip(keywords, identifiers, strict=True):
        words = text.split(",")
        if len(words) > LONG:
            found.append(bool(set(words) & set(KINDS) & set(identifier.split())))
    return sum(found) / max(len(found), 1)
