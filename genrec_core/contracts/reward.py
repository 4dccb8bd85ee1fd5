"""Reward: scores a group, which is all rollouts of one prompt.

A reward sees the whole group because position and hardness are properties of a group, not of an answer:

    class Hit(Reward):
        def score(self, group, catalogue, context):
            return [float(rollout.tokens == group.target) for rollout in group.rollouts]
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.samples import Sample


@dataclass(frozen=True)
class Rollout:
    """One answer to a prompt.

    Attributes:
        tokens: the identifier it names. What was written freely may be identifier tokens that name no item;
            empty where there are none. Where the sample answers with an item field (a title), that text as
            one token.
        text: everything that was written, supplied prefix included.
        score: log-probability under the policy that wrote it.
        prefix: how many leading identifier tokens were supplied, not written.
        thought: free text before the answer.
        thought_tokens: how many tokens the thought has; None where there was no thinking.
        closed: whether the policy closed the thought itself; False where the closing was written for it.
    """

    tokens: Tokens
    text: str
    score: float
    prefix: int = 0
    thought: str = ""
    thought_tokens: int | None = None
    closed: bool = True


class LookaheadDecoder(Protocol):
    """Look-ahead for rewards: what the policy would write after a text."""

    def beams(self, sample: Sample, continuation: str, width: int) -> Candidates:
        """The `width` best constrained identifiers after the sample's prompt and `continuation`."""


@dataclass(frozen=True)
class Group:
    """All rollouts of one prompt, in beam order.

    Attributes:
        sample: the prompt, with the truth it travels with.
        target: the true answer's tokens, in the same way.
        rollouts: G answers (fewer where fewer exist), best beam first.
        step, total: where in training this is; `step / total` in [0, 1].
        lookahead: candidates decoded behind each rollout, for rewards that judge a thought by its beams.
        decoder: to decode more.
    """

    sample: Sample
    target: Tokens
    rollouts: tuple[Rollout, ...]
    step: int = 0
    total: int = 1
    lookahead: tuple[tuple[Candidate, ...], ...] = ()
    decoder: LookaheadDecoder | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict)

    def hit(self) -> bool:
        """Whether any rollout names the target."""
        return any(rollout.tokens == self.target for rollout in self.rollouts)


Scores = Sequence[float]


class Reward(Component):
    """Scores the rollouts of one prompt together, because position and hardness are group properties."""

    kind: ClassVar[str] = "reward"
    seeded: ClassVar[bool] = False

    @abstractmethod
    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One finite number a rollout, in the group's order; a malformed one is scored, not raised on."""
