"""Tags: the words of an item that say most about it, made from its own fields.

The paper starts from a model that was fine-tuned to tag articles. Where there is none, a small model is
taught here on what the catalogue can teach: of each item the words with the highest TF-IDF in its title,
brand and categories, in the order in which they stand there. So the generator begins by writing sensible
words; which of them serve recommending, alternate training has to find out.

    "Red folding tent for two" among tents and lamps   →   red folding two

A generator that is nearly sure of those words hardly feels any gradient towards another: a token's share of
it is proportional to the token's probability. Taught on words *drawn* from the item, others each time, it
spreads its probability over all of them, and alternate training has only to move it.

    "Red folding tent for two"   →   tent for, two red, folding tent …
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from genrec_core import Items

_WORD = re.compile(r"\w+")
_PREFERRED = ("title", "name", "brand", "category", "categories", "genres", "tags")


def tag_fields(items: Items, fields: Sequence[str] = ()) -> tuple[str, ...]:
    """The fields that tags are made of: those named, else what is usually short, else all text."""
    known = tuple(name for name in _PREFERRED if name in items.text_fields)
    return tuple(fields) or known or items.text_fields


def item_tags(items: Items, fields: Sequence[str], count: int, fits: Callable[[str], bool]) -> list[str]:
    """Tags of every item, words with a space between; "" for an item without words.

    Args:
        items: the catalogue.
        fields: what the words are taken from.
        count: most words of an item.
        fits: whether a text is short enough; words are left out from the least telling on until it is.
    """
    words = [_WORD.findall(items.text(item, fields).lower()) for item in range(len(items))]
    among = Counter(word for row in words for word in set(row))
    return [_tagged(row, among, len(words), count, fits) for row in words]


def _tagged(
    words: list[str], among: Counter[str], items: int, count: int, fits: Callable[[str], bool]
) -> str:
    often, place = Counter(words), {word: n for n, word in reversed(list(enumerate(words)))}
    # A word that no other item has names this item alone and teaches nothing about any other.
    weight = {
        word: times * math.log(items / among[word]) * (among[word] > 1) for word, times in often.items()
    }
    best = sorted(place, key=lambda word: (-weight[word], place[word]))[:count]
    while best:
        text = " ".join(sorted(best, key=lambda word: place[word]))
        if fits(text):
            return text
        best.pop()
    return ""


def drawn_tags(
    items: Items,
    fields: Sequence[str],
    count: int,
    fits: Callable[[str], bool],
    generator: np.random.Generator,
) -> list[str]:
    """One draw of tags: of every item different words in any order; "" for an item without words.

    Args:
        items, fields, fits: as for `item_tags`; of a text that is too long the last words are left out.
        count: words of an item, all of them where it has fewer.
        generator: draws.
    """
    tags = []
    for item in range(len(items)):
        words = list(dict.fromkeys(_WORD.findall(items.text(item, fields).lower())))
        drawn = [words[place] for place in generator.permutation(len(words))[:count].tolist()]
        while drawn and not fits(" ".join(drawn)):
            drawn.pop()
        tags.append(" ".join(drawn))
    return tags
