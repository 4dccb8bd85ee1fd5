"""Rollouts: what a policy writes in answer to prompts, in the shapes that strategies and the loss share.

A strategy is given prompts and makes one group for each (`strategies`). A completion is kept as token ids,
because the loss needs ids, and as the contract's `Rollout`, because rewards score identifiers. Which of its
tokens the loss counts is said token by token: a supplied prefix, or a closing tag that was written for the
model, is read but never learnt.

    prompt …, prefix <a_1> of the target, written <b_0><c_3>:
    Completion(ids=(17, 40, 83), learn=(False, True, True), answer=0, rollout=Rollout(…, prefix=1))

Groups may differ in size: behind a long prefix fewer identifiers exist than were asked for. None is made up.

This module imports no torch, so that a trainer's options can be checked without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from genrec_core.contracts.candidates import Candidate
from genrec_core.contracts.reward import Group, Rollout
from genrec_core.contracts.samples import Sample


@dataclass(frozen=True)
class RolloutStep:
    """Where in training a rollout is made.

    Attributes:
        step: rounds of rollouts made before this one.
        total: rounds of the whole run; `step / total` is in [0, 1).
        seed: of the run. Noise depends on this step and a purpose alone, so a resumed run draws the same.
        stage: 1 for the first generation of a round, 2 for the second.
    """

    step: int = 0
    total: int = 1
    seed: int = 0
    stage: int = 1


@dataclass(frozen=True)
class RolloutPrompt:
    """One prompt to answer.

    Attributes:
        sample: the task and its target; `sample.answer_form` names the legal answers.
        ids: token ids of the prompt, from the one renderer.
        prefix_ids: token ids of the answer that are supplied; the policy writes what follows them.
        prefix_length: how many identifier tokens `prefix_ids` spells.
    """

    sample: Sample
    ids: tuple[int, ...]
    prefix_ids: tuple[int, ...] = ()
    prefix_length: int = 0


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
class PromptRollouts:
    """All completions of one prompt, best beam (or first draw) first.

    Attributes:
        prompt: what was answered.
        completions: between one and G of them.
        lookahead: beams decoded behind each rollout, for rewards that score a thought by them.
        extra: what the strategy or the trainer wants rewards to know.
    """

    prompt: RolloutPrompt
    completions: tuple[Completion, ...]
    lookahead: tuple[tuple[Candidate, ...], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Regeneration:
    """A request for a second generation of one prompt; its rollouts replace the first ones.

    Attributes:
        prefix_length: how many leading tokens of the target's identifier are supplied; 0 supplies none.
        extra: merged into `Group.extra` of the new group.
    """

    prefix_length: int
    extra: dict[str, Any] = field(default_factory=dict)


class Leaves(Protocol):
    """What a regeneration rule may ask before it decides."""

    def __call__(self, sample: Sample, prefix_length: int) -> int:
        """How many distinct identifiers begin with so many leading tokens of the sample's target."""


class RegenerationRule(Protocol):
    """Decides, group by group, whether a prompt is generated again."""

    def __call__(self, group: Group, leaves: Leaves) -> Regeneration | None:
        """None keeps the group as it is.

        It is called once for every group of the first generation, before any reward.
        """
