"""What a recommender promises: one answer a request, its candidates distinct and best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.recommender import Recommender
from genrec_core.contracts.views import Request
from genrec_core.testing.sessions import ask
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_catalogue, toy_views
from genrec_core.testing.toy_model import toy_model
from genrec_core.testing.verdicts import NotApplicable, require

_TASK = {"use": "core/next-item"}
REQUESTS = 6


def answers_every_request(subject: Subject) -> None:
    """There is one `Candidates` a request, in order."""
    answers = _recommend(subject)
    require(len(answers) == REQUESTS, f"{REQUESTS} requests got {len(answers)} answers")
    for answer in answers:
        require(isinstance(answer, Candidates), f"gave {type(answer).__name__}, not Candidates")
        require(answer.beams, "an answer has no candidates although the catalogue has items")


def sorts_candidates(subject: Subject) -> None:
    """Candidates are in score order, and scores are finite."""
    for answer in _recommend(subject):
        scores = [candidate.score for candidate in answer.beams]
        require(all(map(math.isfinite, scores)), f"scores are not finite: {scores}")
        require(scores == sorted(scores, reverse=True), f"candidates are not best first: {scores}")


def gives_distinct_candidates(subject: Subject) -> None:
    """No identifier comes twice in one answer."""
    for answer in _recommend(subject):
        named = [candidate.tokens for candidate in answer.beams if candidate.tokens]
        require(len(set(named)) == len(named), "an answer names an identifier twice")


def agrees_with_itself(subject: Subject) -> None:
    """The same models, requests and seed give the same answers."""
    first, second = _recommend(subject), _recommend(subject, again=True)
    for one, other in zip(first, second, strict=True):
        same = [c.tokens for c in one.beams] == [c.tokens for c in other.beams]
        require(same, "two runs with the same seed gave different candidates")


def answers_requests_without_history(subject: Subject) -> None:
    """A request without a history gets an answer at its place, with candidates."""
    first, second = list(toy_views().valid.requests())[:2]
    answers = _asked(subject, [first, replace(first, history=()), second])
    require(len(answers) == 3, f"3 requests, one of them without a history, got {len(answers)} answers")
    require(answers[1].beams, "a request without a history got no candidates")


def keeps_viewed_items(subject: Subject) -> None:
    """Items of the history may be recommended: whether they count is decided by who asks, for all systems."""
    items_of = toy_catalogue().identifiers.items_of
    requests = list(toy_views().valid.requests())
    meant = [
        {item for beam in answer.beams for item in (*beam.items, *items_of(beam.tokens).tolist())}
        for answer in _asked(subject, requests)
    ]
    if not any(meant):
        raise NotApplicable("nothing that an untrained model wrote with it names an item")
    viewed = any(items & set(request.history) for request, items in zip(requests, meant, strict=True))
    require(viewed, f"no candidate of {len(requests)} requests is in its history; filtering is for who asks")


def leaves_out_excluded_items(subject: Subject) -> None:
    """No candidate leads to an item that its request excludes; items that share its identifier may stay."""
    catalogue, request = toy_catalogue(), next(toy_views().valid.requests())
    excluded = (0, 1, 2, 3, 4, 5, 22)  # item 23, which shares the identifier of 22, may be recommended
    (answer,) = _asked(subject, [replace(request, exclude=excluded)])
    reached = {item for beam in answer.beams for item in catalogue.meant(beam).tolist()}
    wrong = sorted(reached & set(excluded))
    require(not wrong, f"items {wrong} are excluded by the request and recommended; use `excluding`")


def keeps_to_allowed_items(subject: Subject) -> None:
    """With `Request.only`, every candidate that names items names an allowed one."""
    catalogue, request = toy_catalogue(), next(toy_views().valid.requests())
    allowed = frozenset({6, 7, 8, 9, 22})  # item 23, which shares the identifier of 22, is not among them
    (answer,) = _asked(subject, [replace(request, only=allowed, exclude=(6,))])
    reached = {item for beam in answer.beams for item in catalogue.meant(beam).tolist()}
    wrong = sorted(reached - allowed | reached & {6})
    require(not wrong, f"items {wrong} are not among those that the request allows; use `excluding`")


def _recommend(subject: Subject, *, again: bool = False) -> list[Candidates]:
    if again or "answers" not in subject.made:
        subject.made["answers"] = _asked(subject, list(toy_views().valid.requests())[:REQUESTS])
    answers: list[Candidates] = subject.made["answers"]
    return answers


def _asked(subject: Subject, requests: Sequence[Request]) -> list[Candidates]:
    component, catalogue = cast("Recommender", subject.component()), toy_catalogue()
    prompt = component.options.prompt or cast("Corpus", subject.builder.build("corpus", _TASK))
    models = {slot: toy_model(catalogue, subject.builder) for slot in component.slots}
    return ask(component, models, requests, catalogue, prompt, subject.context("recommend"))


def result(subject: Subject) -> Any:
    """What was written for each request, with its score."""
    return [[(beam.tokens, beam.text, beam.score) for beam in answer.beams] for answer in _recommend(subject)]


CHECKS = (
    answers_every_request,
    answers_requests_without_history,
    sorts_candidates,
    gives_distinct_candidates,
    keeps_viewed_items,
    leaves_out_excluded_items,
    keeps_to_allowed_items,
    agrees_with_itself,
)
