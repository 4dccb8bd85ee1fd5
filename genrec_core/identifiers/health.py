"""Health of identifiers: what one wants to know before days of training.

    >>> health(Identifiers.of([("a", "x"), ("a", "x"), ("b", "y")]))["collision_rate"]
    0.6666666666666666

This is the part that needs the identifiers alone and is in the metrics of every run; what needs texts or
embeddings is in `diagnosis`.

**Usage** is how each level, that is each token position, uses its codes. Perplexity is exp of the entropy
of a level's codes over items: how many codes an even spread would need to be as varied. A level of 256
codes with a perplexity of 12 has collapsed, whatever its usage. How many codes a level could use is read
off the new tokens: tokens that differ from the level's own only in their digits (`<a_0>`, `<a_1>`, …) are
its code book. Levels of words have none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

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


def health(identifiers: Identifiers, prefixes: Prefixes | None = None) -> dict[str, Any]:
    """Collisions, lengths and code usage, as plain values for metrics and reports.

    Args:
        identifiers: of any kind.
        prefixes: theirs, where they are known already.
    """
    prefixes = prefixes or Prefixes.of(identifiers)
    sizes = prefixes.bucket_sizes
    total = len(identifiers)
    shared = int(sizes[sizes > 1].sum())
    return {
        "items": total,
        "distinct": len(sizes),
        "collision_rate": shared / total if total else 0.0,
        "colliding_items": shared,
        "largest_bucket": int(sizes.max(initial=0)),
        "merged_items": identifiers.merged,
        "length": {
            "min": int(identifiers.lengths.min()) if total else 0,
            "mean": float(identifiers.lengths.mean()) if total else 0.0,
            "max": int(identifiers.lengths.max(initial=0)),
        },
        "new_tokens": len(identifiers.new_tokens),
        "levels": [asdict(level) for level in levels(identifiers, prefixes)],
    }


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
