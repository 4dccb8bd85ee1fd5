"""Settings of reinforcement learning: the options of `core/grpo` and of every trainer built on it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genrec_core.contracts.options import Options, operational
from genrec_core.engine.choices import Arithmetic, Scoring, Trailing

PolicyLoss = Literal["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"]
"""Which of TRL's losses; they differ in clipping and in what a token's share is divided by."""

TOKEN_LOSSES: tuple[PolicyLoss, ...] = ("bnpo", "dapo", "cispo")
"""Losses that are a mean over all tokens of an update, whichever rollout or group they are of."""

Spread = Literal["population", "sample", "none"]
"""The standard deviation by which a group's rewards are divided; `none` only subtracts the mean."""


class GRPOSettings(Options):
    """How groups are made, how long and how fast the policy moves, and when it is stopped."""

    group: int = Field(16, gt=1)
    """Rollouts of a prompt (G)."""
    rollout: Literal["beam", "sample", "distinct", "dynamic", "think"] = "beam"
    """`beam`: one beam pass of width G; `sample`: G independent draws; `distinct`: G draws without
    replacement; `dynamic`: 1.5 × G draws, the first G distinct ones are kept; `think`: G sampled
    thoughts, each with an answer behind it."""
    temperature: float = Field(1.0, gt=0)
    """Of sampled tokens; the policy's log-probabilities are those at this temperature."""
    think_tokens: int = Field(128, gt=0, le=100_000)
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
    think_trailing: Trailing = "ignore"
    """`think` with free answers: whether text behind an identifier is ignored, or makes it name no item."""
    think_learn: Literal["all", "thought"] = "all"
    """`think`: whether the answer's tokens are learnt too, or the thought's alone."""
    lookahead: int = Field(0, ge=0, le=100_000)
    """`think`: beams decoded behind each thought for rewards that judge a thought by them."""
    prompts: int = Field(32, gt=0)
    """Prompts of a round: their rollouts are made together and make one update."""
    updates: int = Field(1, gt=0)
    """Optimiser steps on the rollouts of a round (mu)."""
    epochs: int = Field(1, gt=0)
    """Most epochs; validation may stop earlier."""
    max_steps: int | None = Field(None, gt=0)
    """Most optimiser steps, whatever the epochs say."""
    learning_rate: float = Field(1e-5, gt=0)
    """Highest learning rate; for models trained from scratch something like 1e-4."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the learning rate does after the warm-up."""
    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """Decay of matrices; never of norms and biases."""
    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 for no bound."""
    loss: PolicyLoss = "grpo"
    """`grpo`, `sapo`: mean over a rollout's tokens, then over rollouts; `bnpo`, `dapo`, `cispo`: mean over
    all tokens; `dr_grpo`: sum over a constant, the longest possible completion."""
    average: Literal["group", "rollout"] | None = None
    """How rollouts of groups of different sizes are averaged: `group`, first inside each group and then over
    groups, as the GRPO paper writes it (1/G inside the expectation); `rollout`, over all alike, so that a
    group weighs as much as it is large. By default `group` for losses that average over rollouts; the others
    average over tokens and have no such choice."""
    importance: Literal["token", "sequence"] = "token"
    """Whether the ratio to the old policy is taken token by token, or over a whole rollout (GSPO)."""
    epsilon: float = Field(0.2, gt=0)
    """How far below 1 the ratio may fall before it is clipped."""
    epsilon_high: float | None = Field(None, gt=0)
    """How far above 1 it may rise; by default `epsilon`. For `cispo` the largest ratio, by default 5."""
    std: Spread = "population"
    """What a group's rewards are divided by: their standard deviation over G, over G − 1, or nothing."""
    policy: Scoring | None = None
    """Log-probabilities of a constrained answer under the whole vocabulary (`full`), or renormalised over the
    legal tokens (`legal`): in rollouts, old policy, reference and loss alike. By default as the model was
    trained before."""
    beta: float = Field(1e-3, ge=0)
    """Weight of the KL divergence from the reference, the model that training starts from; 0 does without."""
    kl: Literal["plain", "unbiased"] = "plain"
    """`plain`: the estimate of the GRPO paper, exp(d) − d − 1 a token; `unbiased`: multiplied by the ratio to
    the old policy, which makes its gradient that of the reverse KL divergence."""
    sync_reference: int | None = Field(None, gt=0)
    """Steps after which the reference is moved to the policy; by default it never moves."""
    sync_share: float = Field(0.6, gt=0, le=1)
    """How far towards the policy the reference is moved then."""
    metric: Literal["ndcg@10", "recall@10"] = "ndcg@10"
    """What selects the model: item-level, by beam search on validation rows of the first corpus."""
    valid_samples: int = Field(512, gt=0)
    """Most validation rows of an evaluation, evenly chosen; the same ones every time."""
    valid_beams: int = Field(20, ge=10)
    """Beams of validation, which scores as the model's recommending does."""
    evaluate_every: int | None = Field(None, gt=0)
    """Rounds between two evaluations; by default ten evaluations in all. The start is always evaluated."""
    patience: int | None = Field(3, gt=0)
    """Evaluations without a better metric before training stops; null never stops."""
    precision: Arithmetic = "float32"
    """Arithmetic of training, as in `core/sft`."""
    batch_tokens: int = Field(32768, gt=0)
    """Tokens read together; larger rollouts and updates are made in pieces. Draws depend on it."""
    checkpoint_minutes: float = operational(
        5.0, "Minutes between two checkpoints; there is one at each evaluation too.", ge=0
    )

    @property
    def by_group(self) -> bool:
        """Whether the loss is averaged inside each group first."""
        return self.loss not in TOKEN_LOSSES and self.average != "rollout"

    @model_validator(mode="after")
    def _average_of_rollouts(self) -> Self:
        if self.average and self.loss in TOKEN_LOSSES:
            raise ValueError(
                f"`average: {self.average}` says how rollouts are averaged, and `loss: {self.loss}` averages "
                "over tokens: leave `average` out, or write `loss: grpo`"
            )
        return self

    @model_validator(mode="after")
    def _lookahead_behind_thoughts(self) -> Self:
        if self.lookahead and self.rollout != "think":
            raise ValueError("`lookahead` is decoded behind thoughts: write `rollout: think` too")
        return self
