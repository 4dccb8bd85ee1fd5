"""Words of a catalogue: what each item says of itself, and how many items say it.

A word is a run of letters, digits, hyphens and apostrophes, in lower case. Words without meaning of their
own are left out, and a plural is counted as its singular where the catalogue knows that singular: looking a
word up is all the grammar there is, so that nothing is cut off which is not a word.

    "Red tents for kids" beside "A tent" → red, tent, kids      (nobody wrote `kid`)

The first field counts double: what an item is called says more about it than what is written below. Bare
numbers, words that begin with a digit and words of two letters weigh a quarter: they are terms for want of
better.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrec_core import DataError, Items

WORD = re.compile(r"[^\W_](?:[\w'’-]*[^\W_])?")
POOR = 0.25
"""Weight of a word that is a number, begins with one, or has fewer than three letters."""

_EMPTY_WORDS = """
a about above after again all also am an and any are as at be been before being below best between both but
by can comes could did do does doing down each etc few for from further get gives has have having he her
here hers him his how if in include includes including into is it item items its itself just like made make
makes may more most much must new no nor not now of off on once one only or other our out over own per
product products same she should so some such than that the their them then there these they this those
through to too under until up use used uses using very was we were what when where which while who why will
with within without would you your
"""
EMPTY = frozenset(_EMPTY_WORDS.split())
"""Words that say nothing about an item."""

Bag = Mapping[str, float]
"""Words of one item in their base form, and how often each occurs there, weighted."""


@dataclass(frozen=True)
class Wordbook:
    """How many of how many items use a word.

    Attributes:
        items: number of items counted.
        frequency: base form → items that use it.
    """

    items: int
    frequency: Mapping[str, int]

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]]) -> tuple[Wordbook, list[Bag]]:
        """Count the words of items; each is a sequence of texts, the most telling first."""
        raw = [_bag(parts) for parts in texts]
        known = Counter(word for bag in raw for word in bag)
        bags: list[Bag] = [_folded(bag, known) for bag in raw]
        return cls(len(bags), Counter(word for bag in bags for word in bag)), bags

    def bags(self, texts: Sequence[Sequence[str]]) -> list[Bag]:
        """Words of further items, in the base forms of those counted."""
        return [_folded(_bag(parts), self.frequency) for parts in texts]

    def weight(self, word: str, count: float = 1.0) -> float:
        """TF-IDF of a word that occurs so often in an item: never negative, higher for rarer words."""
        rarity = math.log((2 + self.items) / (1 + self.frequency.get(word, 0)))
        return (1 + math.log(count)) * rarity * (1.0 if _is_plain(word) else POOR)

    @cached_property
    def commonest(self) -> tuple[str, ...]:
        """Plain words by how many items use them, then the others."""
        order = sorted(self.frequency, key=lambda word: (not _is_plain(word), -self.frequency[word], word))
        return tuple(order)

    def kept(self) -> tuple[dict[str, NDArray[np.int64]], list[str]]:
        """Arrays and words from which `of_kept` makes the same book again."""
        words = sorted(self.frequency)
        counts = np.asarray([self.frequency[word] for word in words], dtype=np.int64)
        return {"items": np.asarray([self.items]), "frequency": counts}, words

    @classmethod
    def of_kept(cls, arrays: Mapping[str, NDArray[np.int64]], words: Sequence[str]) -> Wordbook:
        """The book that `kept` gave away."""
        counts = arrays["frequency"].tolist()
        return cls(int(arrays["items"][0]), dict(zip(words, counts, strict=True)))


def item_texts(items: Items, fields: Sequence[str]) -> list[list[str]]:
    """What each item says in the named fields.

    Raises:
        DataError: no item has one of them.
    """
    return [[items.value(item, field) for field in fields] for item in range(len(items))]


def chosen_fields(items: Items, asked: Sequence[str], left_out: str = "") -> tuple[str, ...]:
    """The fields asked for; if none is named, every text field but one.

    Raises:
        DataError: there is no such field, or none with text.
    """
    chosen = tuple(asked) or tuple(field for field in items.text_fields if field != left_out)
    missing = [field for field in chosen if field not in items.fields]
    if missing or not chosen:
        known = ", ".join(items.text_fields) or "none"
        what = f"items have no field `{missing[0]}`" if missing else "items have no text to take terms from"
        raise DataError(what, hint=f"fields with text are: {known}")
    return chosen


def _bag(parts: Iterable[str]) -> dict[str, float]:
    bag: dict[str, float] = {}
    for place, part in enumerate(parts):
        for word in WORD.findall(part.lower().replace("’", "'")):
            word = word.removesuffix("'s")
            if word not in EMPTY and len(word) > 1:
                bag[word] = bag.get(word, 0.0) + (1.0 if place else 2.0)
    return bag


def _folded(bag: Bag, known: Mapping[str, int]) -> dict[str, float]:
    folded: dict[str, float] = {}
    for word, count in bag.items():
        base = _base(word, known)
        folded[base] = folded.get(base, 0.0) + count
    return folded


def _base(word: str, known: Mapping[str, int]) -> str:
    """The singular of a plural, if the catalogue has that word."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    singulars = [word[:-1]]
    if word.endswith("ies"):
        singulars.insert(0, word[:-3] + "y")
    elif word.endswith("es"):
        singulars.append(word[:-2])
    return next((single for single in singulars if len(single) > 2 and single in known), word)


def _is_plain(word: str) -> bool:
    return len(word) > 2 and word[0].isalpha()
