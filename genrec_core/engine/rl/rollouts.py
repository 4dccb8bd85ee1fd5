"""Rollouts: what a policy writes in answer to prompts, in the shapes that strategies and the loss share.

A strategy is asked with prompts and gives one group a prompt. A completion is kept as token ids, because the
loss needs ids, and as the contract's `Rollout`, because rewards judge identifiers. Which of its tokens the
loss counts is said token by token: a supplied prefix, or a closing tag that was written for the model, is
read but never learnt.

    prompt        … ,            supplied <a_1>        written <b_0><c_3>
    Completion(ids=(17, 40, 83), learn=(False, True, True), answer=0, rollout=Rollout(…, prefix=1))

Groups may differ in size: behind a long prefix fewer identifiers exist than were asked for. None is made up.

This module imports no torch, so that a trainer's options can be checked without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from genrec_core.contracts.candidates import Candidate
from genrec_core.contracts.groups import Group, Rollout
from genrec_core.contracts.samples import Sample

if TYPE_CHECKING:
    from genrec_core.engine.rl.policy import Policy


@dataclass(frozen=True)
class Moment:
    """Where in training a rollout is made.

    Attributes:
        step: rounds of rollouts made before this one.
        total: rounds of the whole run; `step / total` is in [0, 1).
        seed: of the run. Noise depends on this moment and a purpose alone, so a resumed run draws the same.
        stage: 1 for the first generation of a round, 2 for the second.
    """

    step: int = 0
    total: int = 1
    seed: int = 0
    stage: int = 1


@dataclass(frozen=True)
class Asked:
    """One prompt to answer.

    Attributes:
        sample: the task, with the truth it travels with; `sample.answer_form` names the legal answers.
        ids: token ids of the prompt, from the one renderer.
        supplied: token ids of the answer that are given; the policy writes what follows them.
        levels: how many identifier tokens `supplied` spells.
    """

    sample: Sample
    ids: tuple[int, ...]
    supplied: tuple[int, ...] = ()
    levels: int = 0


@dataclass(frozen=True)
class Completion:
    """One rollout as the loss sees it.

    Attributes:
        ids: token ids behind the prompt, supplied ones included.
        learn: beside `ids`, whether the policy wrote the token and the loss counts it.
        answer: where in `ids` the constrained answer begins; `len(ids)` when there is none. Tokens from
            there on are a path of the trie, and `policy: legal` normalises them over its legal tokens.
        rollout: the same as rewards see it.
    """

    ids: tuple[int, ...]
    learn: tuple[bool, ...]
    answer: int
    rollout: Rollout


@dataclass(frozen=True)
class RolledOut:
    """All completions of one prompt, best beam (or first draw) first.

    Attributes:
        asked: the prompt.
        completions: between one and G of them.
        lookahead: beams decoded behind each rollout, for rewards that judge a thought by them.
        extra: what the strategy or the trainer wants rewards to know.
    """

    asked: Asked
    completions: tuple[Completion, ...]
    lookahead: tuple[tuple[Candidate, ...], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


class RolloutStrategy(Protocol):
    """How groups come about. Implementations: `engine.rl.strategies`, `engine.rl.thinking`."""

    def roll_out(self, asked: Sequence[Asked], policy: Policy, moment: Moment) -> list[RolledOut]:
        """One group a prompt, in order; prompts may answer from different catalogues.

        A strategy that is given `Asked.supplied` begins every completion with it, unlearnt.
        """

    def longest(self, policy: Policy, forms: Iterable[str]) -> int:
        """Most tokens a completion can have when samples answer in these forms.

        The constant that `loss: dr_grpo` divides by.
        """


@dataclass(frozen=True)
class Second:
    """A request for a second generation of one prompt; its rollouts replace the first ones.

    Attributes:
        supply: how many leading tokens of the target's identifier are given. 0 asks again without help.
        extra: merged into `Group.extra` of the new group.
    """

    supply: int
    extra: dict[str, Any] = field(default_factory=dict)


class Leaves(Protocol):
    """What a second stage may ask before it decides."""

    def __call__(self, sample: Sample, supply: int) -> int:
        """How many distinct identifiers begin with the first `supply` tokens of the sample's target."""


class SecondStage(Protocol):
    """Decides, group by group, whether a prompt is generated again."""

    def __call__(self, group: Group, leaves: Leaves) -> Second | None:
        """None keeps the group as it is.

        It is called once for every group of the first generation, before any reward.
        """
