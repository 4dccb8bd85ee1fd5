"""What a grounder promises: what was written becomes distinct items in score order, the rest is counted."""

from __future__ import annotations

from typing import Any

from genrec_core.contracts.candidates import Candidate, Candidates, Ranked
from genrec_core.contracts.context import Context
from genrec_core.testing.checks.rankings import require_well_formed, same
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_catalogue
from genrec_core.testing.verdicts import require

NOWHERE = ("<a_5>", "<b_5>", "<c_5>")
"""A well-written identifier that no toy item has."""


def ranks_distinct_items(subject: Subject) -> None:
    """Items are distinct, of the catalogue, in score order."""
    require_well_formed(_ground(subject, 3, 7, 3, 1), 24)


def reaches_the_item_it_names(subject: Subject) -> None:
    """The best candidate, when it is the identifier of one item, leads to that item first."""
    require(_ground(subject, 7, 3).items[0] == 7, "the best candidate's own item does not come first")


def counts_every_candidate(subject: Subject) -> None:
    """`candidates` is how many were written, valid or not."""
    ranked = _ground(subject, 7, 3, NOWHERE)
    require(ranked.candidates == 3, f"3 candidates were counted as {ranked.candidates}")


def survives_what_names_nothing(subject: Subject) -> None:
    """Candidates that name no item break nothing, and are not more invalid than they are many."""
    require_well_formed(_ground(subject, NOWHERE, ()), 24)


def survives_silence(subject: Subject) -> None:
    """No candidates give no items."""
    ranked = _ground(subject)
    require_well_formed(ranked, 24)
    require(ranked.candidates == 0, f"no candidates were counted as {ranked.candidates}")


def handles_shared_identifiers(subject: Subject) -> None:
    """Items that share an identifier break no rule of rankings."""
    ranked = _ground(subject, 22, 3)
    require_well_formed(ranked, 24)
    require({22, 23} & set(ranked.items.tolist()), "none of the items that share an identifier is reached")


def agrees_with_itself(subject: Subject) -> None:
    """The same candidates give the same ranking."""
    require(same(_ground(subject, 3, 7, 22), _ground(subject, 3, 7, 22)), "two groundings differ")


def _ground(subject: Subject, *written: int | tuple[str, ...]) -> Ranked:
    catalogue = toy_catalogue()
    beams = []
    for place, name in enumerate(written):
        tokens = catalogue.identifiers.tokens(name) if isinstance(name, int) else name
        beams.append(Candidate(tokens, -1.0 - place, "".join(tokens)))
    ranked: Ranked = subject.component().open(catalogue, Context()).ground(Candidates(tuple(beams)))
    return ranked


def result(subject: Subject) -> Any:
    """The items of an answer that is partly shared and partly nowhere."""
    ranked = _ground(subject, 22, 7, NOWHERE, 3)
    return [ranked.items, ranked.scores]


CHECKS = (
    ranks_distinct_items,
    reaches_the_item_it_names,
    counts_every_candidate,
    survives_what_names_nothing,
    survives_silence,
    handles_shared_identifiers,
    agrees_with_itself,
)
