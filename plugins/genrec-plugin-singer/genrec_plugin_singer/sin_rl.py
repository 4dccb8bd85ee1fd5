"""`singer/sin-rl`: SID-navigated reinforcement learning (SINGER §3.2).

`core/grpo` with two decisions taken: how trajectories are collected, and what happens to hard prompts.

    common        G independent draws of the constrained policy, from the `top_k` likeliest tokens where given
    dynamic       1.5 × G draws, of which the first G distinct ones are kept
    beam          one beam pass of width G, without length normalisation
    beam+prefix   the same; prompts that it does not solve are asked again behind a part of their answer

These are the rows of the paper's §4.3.2. Supplied tokens are read, never learnt; the policy is pulled back
towards the frozen model that training started from (`beta`). Log-probabilities are sums, so a three-token and
a four-token identifier compete as they do when recommending.

Where the paper is silent: the k of `common`, a top-k decoding (`top_k`; all legal tokens here), the group
size (16 here, as in MiniOneRec), λ (`reward: {decay: …}`), and β, for which it refers to a value that is only
given for another method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from genrec_core import Group
from genrec_core.builtin.grpo import GRPO, Rewards
from genrec_core.engine import Leaves, Regeneration
from genrec_plugin_singer.curriculum import PrefixCurriculum

if TYPE_CHECKING:
    from genrec_core.engine import RolloutStrategy

Sampling = Literal["common", "dynamic", "beam", "beam+prefix"]

_DRAWN: Mapping[Sampling, Literal["sample", "dynamic", "beam"]] = {
    "common": "sample",
    "dynamic": "dynamic",
    "beam": "beam",
    "beam+prefix": "beam",
}


class SINRL(GRPO):
    """GRPO that asks hard prompts again behind a part of their answer, less of it as training goes on."""

    version = "2"

    class Options(GRPO.Options):
        """Those of `core/grpo`, and how trajectories are collected."""

        reward: Rewards = Field(
            default=({"use": "singer/sid-navigated"},), validate_default=True, min_length=1
        )
        """One reward, or a list whose scores are added by `reward_weights`."""
        sampling: Sampling = "beam+prefix"
        """How trajectories are collected; takes the place of `rollout`."""
        top_k: int | None = Field(None, gt=0)
        """`common` and `dynamic`: each token is drawn from so many of the likeliest legal ones; all by
        default. The paper's `common` is a top-k decoding whose k is not published."""
        allow_full: bool = False
        """Whether the curriculum may supply a whole answer, as its formula does at the first step."""
        min_leaves: int = Field(2, ge=1)
        """Least identifiers behind a supplied prefix, which is shortened until there are so many. 1 follows
        the paper; a group of one teaches nothing."""

        @model_validator(mode="after")
        def _sampling_decides(self) -> SINRL.Options:
            if self.rollout != "beam":
                raise ValueError(f"write `sampling:` here instead of `rollout: {self.rollout}`")
            if self.top_k is not None and self.sampling not in ("common", "dynamic"):
                raise ValueError(f"`sampling: {self.sampling}` draws nothing that `top_k` could bound")
            return self

    options: Options

    def strategy(self) -> RolloutStrategy:
        """Trajectories as `sampling` says."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine import DirectAnswers

        return DirectAnswers(self.options.group, _DRAWN[self.options.sampling], self.options.top_k)

    def regenerate(self, group: Group, leaves: Leaves) -> Regeneration | None:
        """A second generation behind a supplied prefix, for hard prompts of `beam+prefix` alone."""
        options = self.options
        if options.sampling != "beam+prefix":
            return None
        return PrefixCurriculum(options.allow_full, options.min_leaves)(group, leaves)
