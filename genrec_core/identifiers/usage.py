"""Usage: how each level, that is each token position, uses its codes.

Perplexity is exp of the entropy of a level's codes over items: how many codes an even spread would need to be
as varied. A level of 256 codes with a perplexity of 12 has collapsed, whatever its usage.

How many codes a level could use is read off the new tokens: tokens that differ from the level's own only in
their digits (`<a_0>`, `<a_1>`, …) are its code book. Levels of words have none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.identifiers.prefixes import Prefixes

_DIGITS = re.compile(r"\d+")
_NUMBER = "\0"
"""Stands for a run of digits in the shape of a token; no token has it."""


@dataclass(frozen=True)
class Level:
    """One token position.

    Attributes:
        level: from 1.
        items: how many items have a token here.
        codes: distinct tokens in use.
        possible: tokens that the level could use; None where nothing says so.
        coded: whether its tokens are numbered codes of one shape, not words.
        ranks: whether it only tells apart items that share everything before it.
        largest_share: share of the items on the most used token.
        entropy: in nats.
        perplexity: exp(entropy).
    """

    level: int
    items: int
    codes: int
    possible: int | None
    coded: bool
    ranks: bool
    largest_share: float
    entropy: float
    perplexity: float


def levels(identifiers: Identifiers, prefixes: Prefixes) -> list[Level]:
    """Every token position, from the first."""
    declared = Counter(_shape(token) for token in identifiers.new_tokens)
    return [_level(identifiers, prefixes, number, declared) for number in range(len(prefixes.groups))]


def _level(identifiers: Identifiers, prefixes: Prefixes, level: int, declared: Counter[str]) -> Level:
    reach = prefixes.groups[level] >= 0
    counts = np.bincount(identifiers.codes[identifiers.offsets[:-1][reach] + level])
    used = np.flatnonzero(counts)
    share = counts[used] / counts.sum()
    entropy = float(-(share * np.log(share)).sum())
    shapes = {_shape(identifiers.vocabulary[code]) for code in used}
    shape = shapes.pop() if len(shapes) == 1 else ""
    coded = _NUMBER in shape
    possible = declared[shape] if coded and declared[shape] >= len(used) else None
    items = int(reach.sum())
    optional = level > 0 and items < len(identifiers)
    return Level(
        level=level + 1,
        items=items,
        codes=len(used),
        possible=possible,
        coded=coded,
        ranks=optional and bool((prefixes.sharing(level)[reach] > 0).all()),
        largest_share=float(share.max()),
        entropy=entropy,
        perplexity=float(np.exp(entropy)),
    )


def _shape(token: str) -> str:
    return _DIGITS.sub(_NUMBER, token)
