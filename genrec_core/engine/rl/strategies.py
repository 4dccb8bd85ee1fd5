"""Strategies: the ways in which a prompt becomes a group of rollouts.

    beam       one beam pass of width G: the G likeliest answers, in order
    sample     G independent draws; the same answer may come up more than once
    distinct   G draws without replacement
    dynamic    1.5 × G independent draws, of which the first G distinct answers are kept

All write legal answers only, from whichever catalogue the sample names. A group is smaller than G where
fewer answers exist, or where `dynamic` drew fewer distinct ones. Thoughts before answers: `thinking`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.rollouts import Asked, Completion, Moment, RolledOut, RolloutStrategy
from genrec_core.engine.rl.thinking import Thinking

if TYPE_CHECKING:
    from genrec_core.builtin.grpo import GRPO

OVERSAMPLING = 1.5
"""How many draws `dynamic` makes for each rollout it wants."""


@dataclass(frozen=True)
class Answers:
    """Answers without a thought; see the module's story for `how`."""

    group: int
    how: Literal["beam", "sample", "distinct", "dynamic"] = "beam"

    def roll_out(self, asked: Sequence[Asked], policy: Policy, moment: Moment) -> list[RolledOut]:
        """One group a prompt."""
        if self.how == "beam":
            found = policy.search(asked, self.group)
        elif self.how == "distinct":
            found = policy.search(asked, self.group, policy.noise(moment))
        else:
            count = round(self.group * OVERSAMPLING) if self.how == "dynamic" else self.group
            found = policy.draw(asked, count, policy.noise(moment))
        if self.how == "dynamic":
            found = [_distinct(group)[: self.group] for group in found]
        return [RolledOut(one, tuple(group)) for one, group in zip(asked, found, strict=True)]

    def longest(self, policy: Policy, forms: Iterable[str]) -> int:
        """Tokens of the longest answer of the catalogues that samples answer from."""
        return policy.depth(forms)


def _distinct(group: list[Completion]) -> list[Completion]:
    """The first of each answer, in the order of drawing."""
    first: dict[tuple[int, ...], Completion] = {}
    for completion in group:
        first.setdefault(completion.ids, completion)
    return list(first.values())


def strategy_for(options: GRPO.Options) -> RolloutStrategy:
    """The strategy that `core/grpo`'s options name."""
    if options.rollout != "think":
        return Answers(options.group, options.rollout)
    return Thinking(
        group=options.group,
        budget=options.think_tokens,
        opening=options.think_opening,
        closing=options.think_closing,
        top_p=options.think_top_p,
        learn_answer=options.think_learn == "all",
        free_answer=options.think_answer == "free",
        lookahead=options.lookahead,
    )
