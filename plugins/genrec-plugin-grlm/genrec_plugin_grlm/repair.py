"""Uniqueness repair: items that got the same terms are made distinct by their last term.

The first of them in catalogue order keeps its terms. Each other one gets, in place of the last and least
important term, its own word that the fewest neighbours say and that makes its terms free. Items whose words
are all alike cannot be made distinct by words; they stay as they are and are counted. The paper has no such
step: about 2 % of its items share their terms.

    (tent, camping, red), (tent, camping, red) "Red tent, four poles"   →   the second: (tent, camping, pole)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from genrec_core.contracts.identifiers import Tokens


@dataclass(frozen=True)
class Repaired:
    """Terms after the repair.

    Attributes:
        terms: of every item.
        moved: items that got another last term.
        left: items that still share all their terms with an earlier one.
    """

    terms: list[Tokens]
    moved: int
    left: int


def told_apart(
    terms: Sequence[Tokens], spare: Callable[[int], Iterable[str]], taken: Iterable[Tokens] = ()
) -> Repaired:
    """Terms that differ wherever words allow it.

    Args:
        terms: of every item, in catalogue order.
        spare: words of an item that may replace its last term, the best first.
        taken: terms that belong to others.
    """
    used, owned, moved, left = set(taken), list(terms), 0, 0
    reserved = set(terms)
    for item, mine in enumerate(owned):
        if mine in used:
            others = (word for word in spare(item) if word not in mine)
            ways = ((*mine[:-1], word) for word in others)
            free = next((way for way in ways if way not in used and way not in reserved), None)
            if free is None:
                left += 1
            else:
                owned[item] = free
                moved += 1
        used.add(owned[item])
    return Repaired(owned, moved, left)
