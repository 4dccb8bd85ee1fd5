"""core/grpo: reinforcement learning on groups of rollouts, and the base of papers' own variants.

Prompts are samples of the corpora, cut at their first learnt segment and rendered by the one renderer. A
rollout strategy answers each with a group, rewards score the group, and TRL's GRPO losses move the policy.
What is handed on is the best model by validation, and the start counts: it never hands on one that
validation likes less than what it was given.

A paper that differs overrides one of two hooks. `strategy` gives another way to make groups. `regenerate`
looks at each finished group and may ask for another one, for which leading tokens of the target are supplied;
they are read, not learnt:

    class Guided(GRPO):
        def regenerate(self, group, leaves):
            return None if group.hit() else Regeneration(prefix_length=1, extra={"hard": True})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.reward import Group, Reward
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.engine.rl.rollouts import Leaves, Regeneration
from genrec_core.engine.rl.settings import GRPOSettings

if TYPE_CHECKING:
    from genrec_core.engine.rl.strategies import RolloutStrategy


def _several(value: Any) -> Any:
    """One reward block may stand where a list of them may."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


Rewards = Annotated[tuple[Reward, ...], BeforeValidator(_several)]
"""One reward or a list of them, as an option."""


class GRPO(Trainer):
    """Group-relative policy optimisation with constrained rollouts, selected by validation."""

    version = "2"
    needs = ("torch", "transformers", "trl")
    needs_corpora = True

    class Options(GRPOSettings, Trainer.Options):
        """Corpora and rewards, how groups are made, how long and how fast, and when to stop."""

        reward: Rewards = Field(min_length=1)
        """One reward, or a list whose scores are added by `reward_weights`."""
        reward_weights: tuple[Annotated[float, Field(ge=-1e6, le=1e6)], ...] = ()
        """A weight for each reward; by default 1 each."""

        @model_validator(mode="after")
        def _one_weight_a_reward(self) -> GRPO.Options:
            if self.reward_weights and len(self.reward_weights) != len(self.reward):
                raise ValueError(
                    f"there are {len(self.reward_weights)} `reward_weights` for {len(self.reward)} rewards"
                )
            return self

    options: Options

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "second" in vars(cls):
            raise ContractError(
                f"trainer `{cls.__name__}` defines `second`, which is called `regenerate` now",
                hint="rename the method; it gives `Regeneration(prefix_length=…)`",
            )

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
        from genrec_core.engine.rl.reinforce import RolloutTask, reinforce

        options = self.options
        task = RolloutTask(
            corpora=options.corpora,
            rewards=options.reward,
            weights=options.reward_weights,
            strategy=self.strategy(),
            regenerate=self.regenerate,
            temperature=options.temperature,
            identity=self.identity(),
        )
        return reinforce(Model.of(models["main"]), catalogue, training, task, options, context)

    def strategy(self) -> RolloutStrategy:
        """How groups are made; override it for another way."""
        from genrec_core.engine.rl.strategies import strategy_for

        return strategy_for(self.options)

    def regenerate(self, group: Group, leaves: Leaves) -> Regeneration | None:
        """Whether a prompt is generated again, with a prefix of its target supplied; by default never."""
        return None
