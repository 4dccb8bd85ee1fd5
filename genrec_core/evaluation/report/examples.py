"""Examples: which test examples a report shows, and their titles.

The choice is a rule, not an eye: a third of them found first, a third found further down, a third missed,
each the earliest of its sort in the view; a sort that runs short leaves its places to the others.
"""

from __future__ import annotations

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.views import Example, View
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.report.facts import ShownExample, ShownItem

LONGEST = 90
"""Characters of a title that a report prints."""


def shown_examples(
    view: View,
    rankings: Rankings,
    ranks: NDArray[np.int32],
    catalogue: Catalogue,
    count: int = 6,
    depth: int = 10,
) -> list[ShownExample]:
    """`count` examples of a view with their `depth` best items, as titles."""
    chosen = chosen_rows(ranks, count)
    last = max(chosen, default=-1)
    examples = {row: e for row, e in enumerate(islice(view.examples(), last + 1)) if row in set(chosen)}
    return [_shown(examples[row], rankings, row, int(ranks[row]), catalogue, depth) for row in chosen]


def chosen_rows(ranks: NDArray[np.int32], count: int) -> list[int]:
    """The rows that are shown, by sort: found first, found later, missed."""
    sorts = [np.flatnonzero(which).tolist() for which in (ranks == 1, ranks > 1, ranks == 0)]
    taken: list[list[int]] = [[], [], []]
    while sum(map(len, taken)) < count and any(sorts):
        for mine, rows in zip(taken, sorts, strict=True):
            if rows and sum(map(len, taken)) < count:
                mine.append(rows.pop(0))
    return [row for rows in taken for row in rows]


def item_title(catalogue: Catalogue, item: int) -> str:
    """What a person calls an item: its `title` or `name`, else its first text, else its id."""
    items = catalogue.items
    for field in ("title", "name", *items.text_fields):
        if field in items.fields and (text := items.value(item, field)):
            return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
    return items.ids[item]


def _shown(
    example: Example, rankings: Rankings, row: int, rank: int, catalogue: Catalogue, depth: int
) -> ShownExample:
    ranked = rankings.top(row)
    items = tuple(
        ShownItem(
            title=item_title(catalogue, item),
            how=How(how).name.lower(),
            hit=item == example.target,
            identifier=catalogue.identifiers.text(item),
        )
        for item, how in zip(ranked.items[:depth].tolist(), ranked.how[:depth].tolist(), strict=True)
    )
    return ShownExample(
        user=example.user,
        history=tuple(item_title(catalogue, item) for item in example.history),
        target=item_title(catalogue, example.target),
        rank=rank,
        items=items,
        candidates=ranked.candidates,
        invalid=ranked.invalid,
    )
