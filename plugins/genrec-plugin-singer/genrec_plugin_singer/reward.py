"""`singer/sid-navigated`: rewards that know how far down the identifier an answer was right (SINGER §3.2.2).

    accuracy   R_acc = 1 for the target, 0 for anything else                                     (eq. 6)
    rank       R_rank = −1/ln(p + 1) for a wrong answer at position p = 1, 2, … by probability; else 0 (eq. 7)
    reason     R_reason = 1 − λ^κ, κ = leading tokens that agree with the target's               (eq. 8)

A group is *hard* when the beam pass for its prompt did not find the target. Easy groups get R_acc + R_rank,
hard ones R_reason (eq. 9, `reward: sid-hard`). The ablations of §4.3.3 are the other values of `reward`.

Where the paper leaves a choice: R_rank is given to groups with a hit only (`rank_misses` gives it to all;
without a hit it rewards nothing but writing later). `sid-all` adds R_reason to what easy groups get. Levels
exist in identifiers only, so an answer written as a title is scored by accuracy and rank. λ is not published;
0.5 makes each level worth half of what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from genrec_core import Catalogue, Context, Group, Reward
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.reward import Scores
from genrec_core.contracts.samples import IDENTIFIER

HARD = "hard"
"""Key in `Group.extra`: whether the first beam pass missed, kept when the group was rolled out again."""


class SIDNavigated(Reward):
    """Accuracy and rank for prompts that the policy solves, matched levels for those it does not."""

    version = "1"

    class Options(Reward.Options):
        """Which rewards, and their shape."""

        reward: Literal["acc", "acc+rank", "sid-all", "sid-hard"] = "sid-hard"
        """Accuracy; accuracy and rank; with matched levels for every group; or for hard groups only."""
        decay: float = Field(0.5, gt=0, lt=1)
        """λ: the share of the reward that each further matched level leaves open."""
        rank: Literal["log", "normalised"] = "log"
        """`log`: −1/ln(p + 1). `normalised`: −1/log2(p + 1) over the sum of that at all positions, as in
        MiniOneRec; sums to at most one."""
        rank_misses: bool = False
        """Whether groups without a hit get the rank reward too."""

    options: Options

    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One score a rollout, in beam order."""
        right = [rollout.tokens == group.target for rollout in group.rollouts]
        choice = self.options.reward
        leveled = group.sample.answer_form == IDENTIFIER and choice in ("sid-all", "sid-hard")
        hard = is_hard(group, right)
        if leveled and hard:
            return self._reasons(group)
        scores = [float(hit) for hit in right]
        if choice != "acc" and (any(right) or self.options.rank_misses):
            scores = [score + rank for score, rank in zip(scores, self._ranks(group, right), strict=True)]
        if leveled and choice == "sid-all":
            scores = [score + reason for score, reason in zip(scores, self._reasons(group), strict=True)]
        return scores

    def _ranks(self, group: Group, right: Sequence[bool]) -> list[float]:
        """R_rank; the positions of wrong answers count the right ones between them."""
        positions = ranks([(rollout.text, rollout.score) for rollout in group.rollouts])
        if self.options.rank == "log":
            penalties = [1 / math.log(position + 1) for position in positions]
        else:
            shares = [1 / math.log2(position + 1) for position in positions]
            penalties = [share / sum(shares) for share in shares]
        return [0.0 if hit else -penalty for hit, penalty in zip(right, penalties, strict=True)]

    def _reasons(self, group: Group) -> list[float]:
        """R_reason; supplied tokens count, which the group's normalisation takes off again."""
        decay = self.options.decay
        return [1 - decay ** matched(rollout.tokens, group.target) for rollout in group.rollouts]


def ranks(answers: Sequence[tuple[str, float]]) -> list[int]:
    """Positions p = 1, 2, … by log-probability, highest first; draws of the same answer share a position.

    Beams come in this order anyway. Independent draws come in the order of drawing, which means nothing.

    Args:
        answers: text and log-probability of each rollout.

    >>> ranks([("b", -2.0), ("a", -1.0), ("b", -2.0), ("c", -3.0)])
    [2, 1, 2, 4]
    """
    own: dict[str, float] = {}
    for text, score in answers:
        own[text] = max(score, own.get(text, score))
    scores = [own[text] for text, _ in answers]
    return [1 + sum(other > score for other in scores) for score in scores]


def matched(tokens: Tokens, target: Tokens) -> int:
    """κ: how many leading tokens agree.

    >>> matched(("a1", "b2", "c3"), ("a1", "b2", "c9")), matched(("a9", "b2"), ("a1", "b2"))
    (2, 0)
    """
    agreeing = 0
    for ours, theirs in zip(tokens, target, strict=False):
        if ours != theirs:
            break
        agreeing += 1
    return agreeing


def is_hard(group: Group, right: Sequence[bool]) -> bool:
    """Whether the first beam pass missed the target (hard detection, §3.2.1)."""
    guided = any(rollout.prefix for rollout in group.rollouts)
    return guided or bool(group.extra.get(HARD, not any(right)))
