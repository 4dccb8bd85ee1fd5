"""The loop of reinforcement learning: rounds of rollouts on TRL's losses, selected by validation.

Steps are optimiser steps; `updates` of them learn from one round. Evaluations and checkpoints come at the
ends of rounds only, so rollouts need not be kept: a resumed run makes the next round from weights and seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genrec_core.contracts.context import Context
from genrec_core.engine.decoding.support import evaluating
from genrec_core.engine.models.model import Model
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.rounds import Round, Rounds
from genrec_core.engine.rl.settings import GRPOSettings
from genrec_core.engine.rl.trl_seam import PolicyTrainer, move_towards
from genrec_core.engine.training.checkpoints import load_weights, save_weights
from genrec_core.engine.training.validation import SearchValidation

EVALUATIONS = 10
"""How often a run is evaluated by default."""

REFERENCE = "reference.safetensors"


@dataclass(frozen=True)
class GRPOParts:
    """What reinforcement learning runs on.

    Attributes:
        rounds: makes rounds.
        validation: searches validation rows.
        scorer: of the policy.
        reference: of the model that training starts from; None without KL.
    """

    rounds: Rounds
    validation: SearchValidation
    scorer: TreeScorer
    reference: TreeScorer | None


class GRPOLoop(PolicyTrainer):
    """A run of reinforcement learning."""

    def __init__(
        self, model: Model, parts: GRPOParts, settings: GRPOSettings, context: Context, **options: Any
    ) -> None:
        self._parts = parts
        self._round: tuple[int, Round] | None = None
        updates, rounds = settings.updates, len(parts.rounds.prompts.rounds)
        self.steps = self.batches = min(rounds * updates, settings.max_steps or rounds * updates)
        every = (settings.evaluate_every or max(1, -(-self.steps // updates) // EVALUATIONS)) * updates
        self.ends = frozenset({*range(every, self.steps, every), self.steps})
        self.save_every, self.select_by = updates, settings.metric
        super().__init__(
            network=model.network,
            text_tokenizer=model.text_tokenizer,
            beta=settings.beta,
            scorer=parts.scorer,
            settings=settings,
            context=context,
            **options,
        )

    def batch(self, number: int) -> dict[str, int]:
        """The number of an optimiser step; its round is made when it is asked for."""
        return {"step": number}

    def before_first_step(self) -> None:
        """The start is the first candidate for the best."""
        self.evaluate()

    def inputs_of(self, step: int) -> Round:
        """The round of a step, made by the policy as it is when the round begins."""
        number = step // self._settings.updates
        if self._round is None or self._round[0] != number:
            with evaluating(self.model), self.accelerator.autocast():
                made = self._parts.rounds.make(number, self._parts.reference)
            self._round = (number, made)
            self.tracker.add(step + 1, made.figures)
            read = sum(tree.read for tree in made.trees)
            self.tracker.count(rollouts=len(made.ids), tokens=read * self._settings.updates)
        return self._round[1]

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> torch.Tensor:
        """TRL's loss of a step; its figures go to the curves."""
        loss = self._compute_loss(model, inputs)
        self.tracker.add(self.state.global_step + 1, {"loss": float(loss.detach()), **self.taken_figures()})
        return loss

    def validation_figures(self) -> dict[str, float]:
        """What a beam search recommends for the validation rows, measured."""
        with evaluating(self.model), self.accelerator.autocast():
            return self._parts.validation.metrics()

    def after_step(self, step: int, *, point: bool, save: bool) -> None:
        """Move the reference towards the policy when it is time to."""
        every, reference = self._settings.sync_reference, self._parts.reference
        if reference is not None and every and step % every == 0:
            move_towards(reference.network, self.model, self._settings.sync_share)
        super().after_step(step, point=point, save=save)

    def _write_state(self, folder: Path) -> None:
        super()._write_state(folder)
        if self._parts.reference is not None and self._settings.sync_reference:
            save_weights(self._parts.reference.network, folder / REFERENCE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self._parts.reference is not None and self._settings.sync_reference:
            load_weights(self._parts.reference.network, Path(resume_from_checkpoint) / REFERENCE)
