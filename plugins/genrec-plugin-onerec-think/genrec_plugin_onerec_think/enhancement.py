"""`onerec-think/enhancement`: reinforcement learning on thoughts (OneRec-Think §4.3).

`core/grpo` with the decisions of the paper taken: each prompt gets G sampled thoughts, K beams are decoded
behind each, the reward is the best of them, and the loss counts what the policy wrote of the thought and
nothing of the item:

    <think>⏎    tents want ropes    ⏎</think>⏎⏎                  <item_a_1><item_b_0>
    given       learnt              learnt, or given when cut    drawn, never learnt

The curve `zero-signal groups` is the share of groups whose thoughts all scored alike and taught nothing;
with a sparse reward that is nearly all of them, which is why the paper looks at beams. G, K, the length of
thoughts and all settings of the optimiser are not published; these are ours. `reward:
onerec-think/hierarchical` with `think_learn: all` is the direct alternative, in which the item's tokens are
learnt as well.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from genrec_core.builtin.grpo import GRPO, Rewards
from genrec_plugin_onerec_think.rewards import RolloutBeam

ROLLOUT_BEAM: dict[str, Any] = {"use": "onerec-think/rollout-beam"}


class Enhancement(GRPO):
    """GRPO on thoughts that are judged by the beams behind them."""

    version = "1"

    class Options(GRPO.Options):
        """As `core/grpo`; the rollouts are thoughts."""

        reward: Rewards = Field(ROLLOUT_BEAM, validate_default=True, min_length=1)
        """One reward, or a list whose scores are added by `reward_weights`."""
        rollout: Literal["think"] = "think"
        """Sampled thoughts, each with an answer behind it."""
        group: int = Field(8, gt=1)
        """Thoughts of a prompt (G)."""
        lookahead: int = Field(10, ge=0, le=100_000)
        """Beams decoded behind each thought (K)."""
        think_learn: Literal["all", "thought"] = "thought"
        """Whether the answer's tokens are learnt too, or the thought's alone."""

        @model_validator(mode="after")
        def _beams_for_their_reward(self) -> Enhancement.Options:
            wanting = [one.name for one in self.reward if isinstance(one, RolloutBeam)]
            if wanting and not self.lookahead:
                raise ValueError(f"`{wanting[0]}` looks at beams: write `lookahead: 10`")
            return self

    options: Options
