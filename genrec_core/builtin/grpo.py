"""core/grpo: reinforcement learning on groups of rollouts, and the base of papers' own variants.

Prompts are samples of the corpora, cut at their first learnt segment and rendered by the one renderer. A
rollout strategy answers each with a group, rewards judge the group, and TRL's GRPO losses move the policy.
What is handed on is the best model by validation, and the start counts: it never hands on one that
validation likes less than what it was given.

A paper that differs overrides one of two hooks. `strategy` gives another way to make groups. `second` looks
at each finished group and may ask for another one, for which leading tokens of the target are supplied; they
are read, not learnt:

    class Guided(GRPO):
        def second(self, group, leaves):
            return None if group.hit() else Second(supply=1, extra={"hard": True})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.groups import Group
from genrec_core.contracts.model import LanguageModel
from genrec_core.contracts.reward import Reward
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.engine.rl.rollouts import Leaves, RolloutStrategy, Second
from genrec_core.engine.rl.settings import Settings


def _several(value: Any) -> Any:
    """One reward block may stand where a list of them may."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


Rewards = Annotated[tuple[Reward, ...], BeforeValidator(_several)]
"""One reward or a list of them, as an option."""


class GRPO(Trainer):
    """Group-relative policy optimisation with constrained rollouts, selected by validation."""

    class Options(Settings, Trainer.Options):
        """Corpora and rewards, how groups are made, how long and how fast, and when to stop."""

        reward: Rewards = Field(min_length=1)
        """One reward, or a list whose scores are added by `reward_weights`."""
        reward_weights: tuple[float, ...] = ()
        """A weight for each reward; by default 1 each."""
        rollout: Literal["beam", "sample", "distinct", "dynamic", "think"] = "beam"
        """`beam`: one beam pass of width G; `sample`: G independent draws; `distinct`: G draws without
        replacement; `dynamic`: 1.5 × G draws, the first G distinct ones are kept; `think`: G sampled
        thoughts, each with an answer behind it."""
        temperature: float = Field(1.0, gt=0)
        """Of sampled tokens; the policy's log-probabilities are those at this temperature."""
        think_tokens: int = Field(128, gt=0)
        """`think`: most tokens of a thought."""
        think_opening: str = "<think>\n"
        """`think`: text that begins a thought."""
        think_closing: str = "\n</think>\n\n"
        """`think`: text that ends it; written for the model when the budget runs out."""
        think_top_p: float = Field(1.0, gt=0, le=1)
        """`think`: thoughts are sampled from the smallest set of tokens with this probability together."""
        think_answer: Literal["legal", "free"] = "legal"
        """`think`: whether the answer behind a thought is drawn among the legal ones, as when recommending,
        or written freely, for rewards that shall teach its form too."""
        think_learn: Literal["all", "thought"] = "all"
        """`think`: whether the answer's tokens are learnt too, or the thought's alone."""
        lookahead: int = Field(0, ge=0)
        """`think`: beams decoded behind each thought for rewards that judge a thought by them."""

        @model_validator(mode="after")
        def _one_weight_a_reward(self) -> GRPO.Options:
            if self.reward_weights and len(self.reward_weights) != len(self.reward):
                raise ValueError(
                    f"there are {len(self.reward_weights)} `reward_weights` for {len(self.reward)} rewards"
                )
            if self.lookahead and self.rollout != "think":
                raise ValueError("`lookahead` is decoded behind thoughts: write `rollout: think` too")
            return self

    options: Options

    def train(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        training: Training,
        context: Context,
    ) -> Trained:
        """The best model by validation and the curves; resumes from the context's workspace."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.model import Model
        from genrec_core.engine.rl.reinforce import Task, reinforce

        options = self.options
        task = Task(
            corpora=options.corpora,
            rewards=options.reward,
            weights=options.reward_weights,
            strategy=self.strategy(),
            second=self.second,
            temperature=options.temperature,
            identity=self.identity(),
        )
        return reinforce(Model.of(models["main"]), catalogue, training, task, options, context)

    def strategy(self) -> RolloutStrategy:
        """How groups are made; override it for another way."""
        from genrec_core.engine.rl.strategies import strategy_for

        return strategy_for(self.options)

    def second(self, group: Group, leaves: Leaves) -> Second | None:
        """Whether a prompt is generated again, with a prefix of its target supplied; by default never."""
        return None
