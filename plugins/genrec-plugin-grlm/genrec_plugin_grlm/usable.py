"""What is said about terms: which could not be used, how many were borrowed, how many items share theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NoReturn

from genrec_core import Context, DataError, Items, StageError
from genrec_core.contracts.identifiers import Tokens
from genrec_plugin_grlm.answer import Malformed
from genrec_plugin_grlm.picking import Picked

SHOWN = 60
"""Characters of a malformed answer that a message quotes."""


def refuse(bad: Mapping[int, Malformed], items: Items, *, asked: bool) -> NoReturn:
    """Say which items have no usable terms, why, and what can be done.

    Raises:
        StageError: a teacher was asked.
        DataError: terms were given.
    """
    reasons = Counter(answer.reason for answer in bad.values())
    counted = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    shown = "; ".join(
        f"`{items.ids[item]}`: {answer.explanation} (`{' '.join(answer.answer.split())[:SHOWN]}`)"
        for item, answer in list(bad.items())[:3]
    )
    message = f"{len(bad):,} of {len(items):,} items have no usable terms ({counted}), such as {shown}"
    instead = "write `malformed: extract` to take terms out of these items' own words"
    if asked:
        raise StageError(
            message, hint=f"raise `retries` (answers are kept), use another teacher, or {instead}"
        )
    raise DataError(message, hint=f"mend them, or {instead}")


def log_picked(picked: Sequence[Picked], asked: int, context: Context, event: str) -> None:
    """How many items had too few words of their own, and too few that no neighbour has."""
    context.log(
        event,
        items=len(picked),
        items_that_borrow=sum(each.borrowed > 0 for each in picked),
        borrowed_terms=sum(each.borrowed for each in picked),
        items_hardly_told_apart=sum(each.distinguishing < asked for each in picked),
    )


def log_terms(terms: Sequence[Tokens], context: Context, **counts: int) -> None:
    """The size of the vocabulary and how many items share all their terms with another."""
    owners = Counter(terms)
    context.log(
        "terms",
        items=len(terms),
        vocabulary=len({term for row in terms for term in row}),
        identifiers=len(owners),
        items_that_share=sum(count for count in owners.values() if count > 1),
        **counts,
    )
