"""Rewards of reasoning enhancement (OneRec-Think §4.3): how good a thought is, told by the items behind it.

    onerec-think/rollout-beam   the best level match among the K beams behind the thought
    onerec-think/hierarchical   the level match of the item that was written behind the thought
    onerec-think/sparse         1 if that item is the target, else 0

For a target (1, 2, 3, 4) and the beams (1, 2, 9, 9) and (9, 2, 3, 4), a match is

    positional   levels that agree, wherever they stand:  2 and 3   → 3 of 4
    prefix       leading levels that agree:               2 and 0   → 2 of 4

The paper's formula is lost from its text; re-implementations count positions, so that is the default. Scores
are shares of the levels, which changes no advantage. Tokens around an identifier agree always and are no
levels. The rollout-beam reward looks at the thought alone, so the policy's loss should count nothing else:
`core/grpo` with `rollout: think`, `lookahead: K` and `think_learn: thought`, or `onerec-think/enhancement`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from genrec_core import Catalogue, Context, GenrecError, Group, Reward
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.reward import Scores
from genrec_plugin_onerec_think.boundaries import levels

Match = Literal["positional", "prefix"]


def matched(tokens: Tokens, target: Tokens, match: Match) -> int:
    """How many levels of an identifier agree with the target's.

    >>> beams = (("1", "2", "9", "9"), ("9", "2", "3", "4"))
    >>> [matched(beam, ("1", "2", "3", "4"), how) for how in ("positional", "prefix") for beam in beams]
    [2, 3, 2, 0]
    """
    agreeing = [ours == theirs for ours, theirs in zip(tokens, target, strict=False)]
    if match == "positional":
        return sum(agreeing)
    return agreeing.index(False) if False in agreeing else len(agreeing)


def best_match(beams: Iterable[Tokens], target: Tokens, match: Match) -> int:
    """The most levels that any beam has right; 0 without a beam."""
    return max((matched(beam, target, match) for beam in beams), default=0)


class Matching(Reward):
    """Base of the rewards that count levels."""

    class Options(Reward.Options):
        """What a match is."""

        match: Match = "positional"
        """Levels that agree wherever they stand, or only leading ones (`prefix`)."""

    options: Options

    def share(self, beams: Iterable[Tokens], group: Group, catalogue: Catalogue) -> float:
        """The best match among identifiers, as a share of the target's levels."""
        target = levels(group.target, catalogue.identifiers)
        written = (levels(beam, catalogue.identifiers) for beam in beams)
        return best_match(written, target, self.options.match) / max(1, len(target))


class RolloutBeam(Matching):
    """The best that the beams behind a thought have."""

    version = "1"

    class Options(Matching.Options):
        """What a match is, and how many beams count."""

        beams: int | None = Field(None, ge=1)
        """K: the best so many beams behind each thought; by default all that were decoded."""

    options: Options

    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One share a rollout.

        Raises:
            GenrecError: no beams were decoded behind the thoughts.
        """
        if len(group.lookahead) != len(group.rollouts):
            raise GenrecError(
                f"`{self.name}` scores a thought by the beams behind it, and none were decoded",
                hint="write `rollout: think` and `lookahead: 10` in the step that names this reward",
            )
        return [
            self.share((beam.tokens for beam in behind[: self.options.beams]), group, catalogue)
            for behind in group.lookahead
        ]


class Hierarchical(Matching):
    """The level match of the item that was written behind the thought."""

    version = "1"

    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One share a rollout."""
        return [self.share((rollout.tokens,), group, catalogue) for rollout in group.rollouts]


class Sparse(Reward):
    """1 for a thought behind which the target was written, 0 for every other."""

    version = "1"

    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One score a rollout."""
        return [float(rollout.tokens == group.target) for rollout in group.rollouts]
