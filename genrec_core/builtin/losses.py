"""`core/smoothed`, `core/focal` and `core/beam-aware`: what fine-tuning may minimise beside cross-entropy.

train:
  sft: {use: core/sft, corpora: [core/next-item], scoring: legal, loss: {use: core/beam-aware, beams: 20}}
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from genrec_core.contracts.loss import Loss


class Smoothed(Loss):
    """Cross-entropy with label smoothing, as the option `label_smoothing` of `core/sft` has it."""

    needs = ("torch",)

    class Options(Loss.Options):
        """How much is spread."""

        share: float = Field(0.1, ge=0, lt=1)
        """Share of the target's probability that is spread over everything that could stand there."""

    options: Options

    def losses(self, logs: Any, chosen: Any) -> Any:
        """Cross-entropy with the spread target."""
        from genrec_core.engine.training.token_losses import smoothed  # listing plugins imports no torch

        return smoothed(logs, chosen, self.options.share)


class Focal(Loss):
    """Focal loss: tokens that the model already knows count less (Lin et al. 2017)."""

    needs = ("torch",)

    class Options(Loss.Options):
        """How much less."""

        power: float = Field(2.0, ge=0, le=10)
        """The exponent of the probability that is missing; 0 is cross-entropy."""

    options: Options

    def losses(self, logs: Any, chosen: Any) -> Any:
        """Weighted cross-entropy."""
        from genrec_core.engine.training.token_losses import focal  # listing plugins imports no torch

        return focal(logs, chosen, self.options.power)


class BeamAware(Loss):
    """Cross-entropy, and a penalty for tokens that beam search would prune (BEAR, arXiv:2601.22925).

    A target is found by beam search only if each of its tokens is among the best continuations. Likely
    targets lose that at one step while their whole probability is high; the penalty looks at each step.
    """

    needs = ("torch",)

    class Options(Loss.Options):
        """Which tokens are pruned, and what that costs."""

        beams: int = Field(20, ge=1, le=100_000)
        """How many of the best continuations survive: the beams of the recommender."""
        weight: float = Field(0.5, ge=0)
        """What the penalty counts beside cross-entropy."""
        temperature: float = Field(1.0, gt=0)
        """Width, in log-probability, of the penalty's rise from 0 to 1; small values make it a step."""

    options: Options

    def losses(self, logs: Any, chosen: Any) -> Any:
        """Cross-entropy and penalty."""
        from genrec_core.engine.training.token_losses import beam_aware  # listing plugins imports no torch

        options = self.options
        return beam_aware(logs, chosen, options.beams, options.weight, options.temperature)
