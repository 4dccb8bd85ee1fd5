"""What a reward promises: one finite number a rollout, whatever the rollout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.context import Context
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.reward import Group, Rollout
from genrec_core.contracts.samples import History, ItemRef, Sample, Text
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_catalogue
from genrec_core.testing.verdicts import require

TARGET = 7


def scores_every_rollout(subject: Subject) -> None:
    """A group with a hit gets one score a rollout."""
    _score(subject, _group([3, TARGET, 9, 12]))


def scores_a_group_that_missed(subject: Subject) -> None:
    """A group without a hit is scored too."""
    _score(subject, _group([3, 8, 9, 12]))


def scores_a_single_rollout(subject: Subject) -> None:
    """A group of one has neither neighbours nor variance, and is scored all the same."""
    _score(subject, _group([TARGET]))


def scores_malformed_rollouts(subject: Subject) -> None:
    """A rollout that names no item, or says nothing at all, gets a score, not an exception."""
    malformed = (
        Rollout((), "no identifier in here", -3.0),
        Rollout((), "", -4.0),
        Rollout(("<a_0>",), "<a_0>", -5.0),
        Rollout(("<a_0>", "<b_0>", "<c_0>", "<c_0>"), "<a_0><b_0><c_0><c_0>", -6.0, thought="x" * 2000),
    )
    _score(subject, _group([TARGET], more=malformed))
    _score(subject, _group([], more=malformed[:1]))


def scores_rollouts_with_a_supplied_prefix(subject: Subject) -> None:
    """Rollouts whose first tokens were given, not written, are scored."""
    tokens = toy_catalogue().identifiers.tokens(TARGET)
    _score(subject, _group([3], more=(Rollout(tokens, "".join(tokens), -1.0, prefix=2),)))


def scores_at_every_step(subject: Subject) -> None:
    """Scores are finite from the first to the last step of training."""
    for step in (0, 1, 5, 10):
        _score(subject, _group([3, TARGET], step=step))


def agrees_with_itself(subject: Subject) -> None:
    """The same group gets the same scores."""
    group = _group([3, TARGET, 9, 12])
    require(_score(subject, group) == _score(subject, group), "the same group got different scores")


def _score(subject: Subject, group: Group) -> list[float]:
    scores = [float(score) for score in subject.component().score(group, toy_catalogue(), Context())]
    require(len(scores) == len(group.rollouts), f"{len(group.rollouts)} rollouts got {len(scores)} scores")
    require(all(map(math.isfinite, scores)), f"scores are not finite: {scores}")
    return scores


class _OneBeam:
    """A decoder that always writes the target."""

    def beams(self, sample: Sample, continuation: str, width: int) -> Candidates:
        """One candidate, whatever is asked."""
        return Candidates((Candidate(_tokens(TARGET), -1.0),))


def _group(items: Sequence[int], more: tuple[Rollout, ...] = (), step: int = 3) -> Group:
    written = (Rollout(_tokens(item), "".join(_tokens(item)), -1.0 - n) for n, item in enumerate(items))
    rollouts = (*written, *more)
    sample = Sample((Text("Next: "), History((1, 2)), ItemRef(TARGET, learn=True)), target=TARGET)
    behind = tuple((Candidate(_tokens(TARGET), -1.0), Candidate(_tokens(2), -2.0)) for _ in rollouts)
    return Group(sample, _tokens(TARGET), rollouts, step, 10, behind, _OneBeam())


def _tokens(item: int) -> Tokens:
    return toy_catalogue().identifiers.tokens(item)


def result(subject: Subject) -> Any:
    """Scores of a group with a hit and of one without."""
    return [_score(subject, _group([3, TARGET, 9, 12])), _score(subject, _group([3, 8, 9, 12]))]


CHECKS = (
    scores_every_rollout,
    scores_a_group_that_missed,
    scores_a_single_rollout,
    scores_malformed_rollouts,
    scores_rollouts_with_a_supplied_prefix,
    scores_at_every_step,
    agrees_with_itself,
)
