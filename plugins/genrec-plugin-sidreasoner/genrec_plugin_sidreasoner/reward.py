"""`sidreasoner/stepwise`: R = R_rule + α · R_format (SIDReasoner equations 6 to 8).

    R_rule    0 without a correct first token, else 2^(l − L): l leading tokens are right, of L
    R_format  1 where what was written is an item's identifier, else 0

    truth (1, 2, 3), α = 0.1:   (1, 2, 3) → 1.1   (1, 2, 4) → 0.6   (1, 5, 6) → 0.35   (7, 2, 3) → 0.1

Tokens that agree behind a wrong one count nothing. The formula of R_rule was lost from the paper's text;
this is what its code computes for three levels. An answer with fewer tokens than the truth that is no item's
either is unfinished and worth 0. Where answers may differ in length, L is the longer of both.

A rollout whose thought was closed for it is worth what its answer is; `unclosed: nothing` gives 0, as the
paper's code does to an answer without `</think>`. An empty thought is worth as much as any other, and the
paper's thoughts get shorter while they are trained; `least_thought` gives no R_format to shorter ones.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genrec_core import Catalogue, Context, Group, Reward, Rollout
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.reward import Scores


class Stepwise(Reward):
    """How far down the identifier an answer is right, and whether it is one at all."""

    version = "1"

    class Options(Reward.Options):
        """The weight of the format, and what thoughts must be like."""

        alpha: float = Field(0.1, ge=0)
        """α, what R_format counts."""
        unclosed: Literal["answer", "nothing"] = "answer"
        """What a rollout is worth whose thought was closed for it: its answer, or 0."""
        least_thought: int = Field(0, ge=0)
        """Tokens of a thought below which R_format is 0."""

    options: Options

    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One score a rollout."""
        return [self._score(rollout, group.target, catalogue) for rollout in group.rollouts]

    def _score(self, rollout: Rollout, target: Tokens, catalogue: Catalogue) -> float:
        options = self.options
        if options.unclosed == "nothing" and not rollout.closed:
            return 0.0
        exists = rollout.tokens == target or len(catalogue.identifiers.items_of(rollout.tokens)) > 0
        short = rollout.thought_tokens is not None and rollout.thought_tokens < options.least_thought
        return rule(rollout.tokens, target, exists=exists) + options.alpha * (exists and not short)


def rule(tokens: Tokens, target: Tokens, *, exists: bool) -> float:
    """R_rule.

    Args:
        tokens: what was written.
        target: the truth.
        exists: whether `tokens` are an item's.

    >>> rule(("a1", "b5", "c6"), ("a1", "b2", "c3"), exists=True)
    0.25
    """
    if len(tokens) < len(target) and not exists:
        return 0.0
    right = 0
    for ours, theirs in zip(tokens, target, strict=False):
        if ours != theirs:
            break
        right += 1
    return 2.0 ** (right - max(len(tokens), len(target))) if right else 0.0
