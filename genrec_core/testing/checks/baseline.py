"""What a baseline promises: one well-formed ranking a request, without a look at what it must guess."""

from __future__ import annotations

from genrec_core.contracts.candidates import Ranked
from genrec_core.testing.checks.rankings import require_well_formed, same
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_items, toy_training, toy_views
from genrec_core.testing.verdicts import require

K = 5


def answers_every_request(subject: Subject) -> None:
    """There is one ranking a request, in order."""
    requests = len(toy_views().test)
    found = len(_rank(subject))
    require(found == requests, f"{requests} requests got {found} rankings")


def ranks_distinct_items(subject: Subject) -> None:
    """Rankings are distinct items of the catalogue, best first."""
    for ranked in _rank(subject):
        require_well_formed(ranked, len(toy_items()))


def gives_as_many_as_asked(subject: Subject) -> None:
    """There are k items, fewer only when the catalogue has fewer."""
    short = [len(ranked.items) for ranked in _rank(subject) if len(ranked.items) != K]
    require(not short, f"asked for {K} items, gave {short[:3]}")
    every = _rank(subject, k=100)
    wrong = [len(ranked.items) for ranked in every if len(ranked.items) != len(toy_items())]
    require(not wrong, f"asked for more items than there are, gave {wrong[:3]} of {len(toy_items())}")


def agrees_with_itself(subject: Subject) -> None:
    """The same data and seed give the same rankings."""
    pairs = zip(_rank(subject), _rank(subject), strict=True)
    require(all(same(one, other) for one, other in pairs), "two rankings of the same requests differ")


def _rank(subject: Subject, k: int = K) -> list[Ranked]:
    requests = list(toy_views().test.requests())
    return list(subject.component().rank(toy_items(), toy_training(), requests, k, subject.context("rank")))


CHECKS = (answers_every_request, ranks_distinct_items, gives_as_many_as_asked, agrees_with_itself)
