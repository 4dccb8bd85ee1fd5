"""Picking terms without a model: words that neighbours share, then words that tell the item apart.

The paper asks a language model for two things at once: the same word for what similar items have in common,
and one or two words that only this item has. Both can be counted. With `share` the part of the neighbours
that use a word, and `weight` its TF-IDF in the item:

    in common        words with share > 0, the largest share · weight first
    distinguishing   the others, the largest weight first; of shared words the least shared

Terms stand from broad to narrow (share, then how many items use the word), so that a model decides about
the kind of item before it decides which one. An item with too few words of its own borrows: first what most
neighbours say, then what most of the catalogue says. Borrowed terms are counted, never hidden.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from genrec_core import DataError
from genrec_core.contracts.identifiers import Tokens
from genrec_plugin_grlm.wordbook import Bag, Wordbook


@dataclass(frozen=True)
class Picked:
    """Terms of an item.

    Attributes:
        terms: in order, all different.
        borrowed: how many of them the item itself does not say.
        distinguishing: how many of its own no neighbour says.
    """

    terms: Tokens
    borrowed: int
    distinguishing: int


def pick(
    bag: Bag, neighbours: Sequence[Collection[str]], book: Wordbook, count: int, distinguishing: int
) -> Picked:
    """`count` terms for an item.

    Args:
        bag: the item's own words.
        neighbours: words of each neighbour; none to name the item by itself.
        book: the catalogue's word counts.
        count: how many terms.
        distinguishing: how many of them, at least, are those that the fewest neighbours say.

    Raises:
        DataError: item, neighbours and catalogue together have fewer words than that.
    """
    share = _shares(neighbours)
    weight = {word: book.weight(word, often) for word, often in bag.items()}
    common = sorted(
        (word for word in bag if share.get(word)), key=lambda word: (-share[word] * weight[word], word)
    )
    apart = spare_words(bag, neighbours, book)
    own = common[: max(0, count - distinguishing)]
    own += [word for word in apart if word not in own][: count - len(own)]
    borrowed = _borrowed(bag, share, book, count - len(own)) if len(own) < count else []
    if len(own) + len(borrowed) < count:
        raise DataError(
            f"an item needs `{count}` terms, the whole catalogue has {len(own) + len(borrowed)} words",
            hint="write fewer `terms`, or name more text fields in `fields`",
        )
    broad_first = sorted(
        [*own, *borrowed], key=lambda word: (-share.get(word, 0.0), -book.frequency.get(word, 0), word)
    )
    return Picked(tuple(broad_first), len(borrowed), sum(not share.get(word) for word in own))


def spare_words(bag: Bag, neighbours: Sequence[Collection[str]], book: Wordbook) -> list[str]:
    """An item's words, those that tell it apart from its neighbours best first."""
    share = _shares(neighbours)
    return sorted(bag, key=lambda word: (share.get(word, 0.0), -book.weight(word, bag[word]), word))


def _shares(neighbours: Sequence[Collection[str]]) -> dict[str, float]:
    share: dict[str, float] = {}
    for words in neighbours:
        for word in words:
            share[word] = share.get(word, 0.0) + 1 / len(neighbours)
    return share


def _borrowed(bag: Bag, share: dict[str, float], book: Wordbook, count: int) -> list[str]:
    """Up to `count` words that the item does not say: what most neighbours say, then what most items say."""
    near = sorted(share, key=lambda word: (-round(share[word], 6), -book.weight(word), word))
    lent = (word for word in chain(near, book.commonest) if word not in bag)
    chosen: dict[str, None] = {}
    for word in lent:
        if len(chosen) == count:
            break
        chosen[word] = None
    return list(chosen)
