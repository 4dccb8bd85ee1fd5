"""The loop of fine-tuning: what the seam to Trainer leaves open, for a planned run over rendered samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genrec_core.contracts.context import Context
from genrec_core.engine.batches import by_rows
from genrec_core.engine.models.freezing import MasterWeights
from genrec_core.engine.models.model import Model
from genrec_core.engine.training.batch_plan import BatchPlan, Collator
from genrec_core.engine.training.dense_loss import DenseLoss
from genrec_core.engine.training.loss import LegalLoss, batch_loss, learnt_losses
from genrec_core.engine.training.sample_table import SampleTable
from genrec_core.engine.training.settings import SFTSettings
from genrec_core.engine.training.trainer_seam import PlannedTrainer
from genrec_core.engine.training.validation import SearchValidation


@dataclass(frozen=True)
class SFTParts:
    """What fine-tuning runs over.

    Attributes:
        table, valid: training and validation samples.
        plan: the plan of batches.
        ranking: searches validation rows, where the run is selected by what it recommends; else None.
        legal: the loss of identifiers, where it is normalised over legal tokens; else None.
        dense: the loss of the dense head, where one is trained; else None.
    """

    table: SampleTable
    valid: SampleTable
    plan: BatchPlan
    legal: LegalLoss | None = None
    ranking: SearchValidation | None = None
    dense: DenseLoss | None = None


class SFTLoop(PlannedTrainer):
    """A run of fine-tuning."""

    def __init__(
        self,
        model: Model,
        parts: SFTParts,
        settings: SFTSettings,
        context: Context,
        *,
        rows: MasterWeights | None,
        **options: Any,
    ) -> None:
        self._parts = parts
        self._train = Collator(parts.table, model.family, model.pad_id)
        self._valid = Collator(parts.valid, model.family, model.pad_id)
        self._losses: list[Tensor] = []
        plan, every = parts.plan, settings.evaluate_every
        self.steps, self.batches, self.epoch_ends = plan.steps, len(plan.batches), plan.epoch_steps
        self.ends = frozenset({*(range(every, self.steps, every) if every else plan.epoch_steps), self.steps})
        self.validates = len(parts.valid) > 0
        self.select_by, self.keeps_best = settings.select_by, settings.keep == "best"
        super().__init__(model=model.network, settings=settings, context=context, **options)
        self.masters += [rows] if rows is not None else []

    def batch(self, number: int) -> dict[str, Tensor]:
        """The tensors of a batch of the plan."""
        return self._train.batch(self._parts.plan.batches[number], self._parts.plan.group(number))

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ) -> Tensor:
        """The batch's part of its step's loss."""
        settings, parts = self._settings, self._parts
        loss = batch_loss(
            self.model, inputs, settings.label_smoothing, model, parts.legal, parts.dense, settings.loss
        )
        self._losses.append(loss.detach())
        return loss

    def after_step(self, step: int, *, point: bool, save: bool) -> None:
        """Losses are read off the device only where a point or a checkpoint needs them."""
        if point or save:
            losses: list[float] = torch.stack(self._losses).tolist() if self._losses else []
            self._losses = []
            # A step's loss is the sum of its batches' parts.
            size = self._parts.plan.accumulation
            for start in range(0, len(losses), size):
                self.tracker.add(step, {"train loss": sum(losses[start : start + size])})
        super().after_step(step, point=point, save=save)

    @torch.no_grad()
    def validation_figures(self) -> dict[str, float]:
        """The weighted mean loss of learnt tokens, whatever is trained by; and the ranking that selects."""
        figures = {"loss": self._validation_loss()}
        if self._parts.ranking:
            figures |= self._parts.ranking.metrics()
        return figures

    def _validation_loss(self) -> float:
        table, settings = self._parts.valid, self._settings
        total, weight = 0.0, 0.0
        self.model.eval()
        for rows in by_rows(
            np.arange(len(table)), table.lengths, settings.batch_size, settings.tokens_per_batch
        ):
            inputs = self._prepare_inputs(self._valid.batch(rows))
            with self.accelerator.autocast():
                losses, weights = learnt_losses(self.model, inputs, legal=self._parts.legal)
            total += float((losses * weights).sum())
            weight += float(weights.sum())
        return total / weight
