"""How long and how fast the ID generator learns in a round of alternate training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genrec_core.contracts.options import Options, operational


class GeneratorSettings(Options):
    """How long and how fast the generator learns in a round."""

    epochs: int = Field(1, gt=0)
    """How often it sees the training samples in a round."""
    max_steps: int | None = Field(None, gt=0)
    """Most optimiser steps of a round, whatever the epochs say."""
    batch_size: int = Field(12, gt=0)
    """Samples of a step."""
    learning_rate: float = Field(1e-4, gt=0)
    """Highest learning rate. The paper's 1e-8 leaves most generators as they are."""
    schedule: Literal["linear", "constant"] = "linear"
    """What the rate does after the warm-up: falls to 0 over the round, or stays."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of a round's steps in which the rate rises."""
    weight_decay: float = Field(0.01, ge=0)
    """Decay of matrices; never of norms and biases."""
    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 for no bound."""
    temperature: float = Field(1.0, gt=0, le=100)
    """Divides the generator's logits; above 1, tokens that it is nearly sure of still feel gradients."""
    newest: int = Field(10, gt=0)
    """Identifiers of a prompt that are soft, the newest of the history; older ones stay as they are."""
    checkpoint_minutes: float = operational(5.0, "Minutes between two checkpoints.", ge=0)
