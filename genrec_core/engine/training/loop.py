"""The loop: one planned training run on transformers' Trainer.

What the plan, the loss and the checkpoints leave open is decided here: the optimiser and its schedule, when
to evaluate and to keep a checkpoint, and what watchers are told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import TrainerCallback, get_scheduler

from genrec_core.contracts.context import Advance, Context
from genrec_core.engine.decoding.validation import SearchValidation
from genrec_core.engine.models.freezing import TrainedRows
from genrec_core.engine.models.model import Model
from genrec_core.engine.training.batching import Plan, bucketed
from genrec_core.engine.training.checkpointing import CheckpointingTrainer
from genrec_core.engine.training.collator import Collator
from genrec_core.engine.training.dataset import Table
from genrec_core.engine.training.legal import LegalLoss
from genrec_core.engine.training.loss import batch_loss, learnt_losses
from genrec_core.engine.training.settings import Settings

POINTS = 200
"""The training curve has about so many points."""


@dataclass(frozen=True)
class LoopParts:
    """What a loop runs over.

    Attributes:
        table, valid: training and validation samples.
        schedule: the plan of batches.
        ranking: searches validation rows, where the run is selected by what it recommends; else None.
        legal: the loss of identifiers, where it is normalised over legal tokens; else None.
    """

    table: Table
    valid: Table
    schedule: Plan
    legal: LegalLoss | None = None
    ranking: SearchValidation | None = None


class _Batches(Dataset[dict[str, Tensor]]):
    """The plan's batches, collated as they are asked for."""

    def __init__(self, collator: Collator, schedule: Plan) -> None:
        self._collator, self._schedule = collator, schedule

    def __len__(self) -> int:
        return len(self._schedule.batches)

    def __getitem__(self, batch: int) -> dict[str, Tensor]:
        return self._collator.batch(self._schedule.batches[batch], self._schedule.group(batch))


def _alone(batches: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The one batch of a list of one: the plan has done the batching."""
    return batches[0]


class Loop(CheckpointingTrainer):
    """A run: `run()` trains to the end of the plan or until patience runs out."""

    def __init__(
        self,
        model: Model,
        parts: LoopParts,
        settings: Settings,
        context: Context,
        *,
        rows: TrainedRows | None,
        **options: Any,
    ) -> None:
        self._parts, self._settings, self._context, self._rows = parts, settings, context, rows
        self._train = Collator(parts.table, model.family, model.pad_id)
        self._valid = Collator(parts.valid, model.family, model.pad_id)
        self._losses: list[Tensor] = []
        super().__init__(model=model.network, **options)

    def run(self, checkpoint: Path | None) -> None:
        """Train, from a checkpoint if there is one.

        Raises:
            StageError: the loss became infinite.
        """
        done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
        self.state.global_step = done
        if self.selection.stopped or done >= self._parts.schedule.steps:
            assert checkpoint is not None, "a run without checkpoints has steps to do"
            self._load_from_checkpoint(str(checkpoint))
            return
        with self._context.progress("training", total=self._parts.schedule.steps) as advance:
            advance(done)
            self.add_callback(_Watch(self, self._parts, self._settings, self._context, advance))
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """The plan's batches in order."""
        return DataLoader(
            _Batches(self._train, self._parts.schedule), batch_size=1, shuffle=False, collate_fn=_alone
        )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW on what is trainable; matrices decay, norms and biases do not."""
        made = self.optimizer
        if made is None:
            if self._rows is not None:
                decayed: list[Any] = list(self._rows.parameters)
                plain: list[Any] = []
            else:
                trained = [value for value in self.model.parameters() if value.requires_grad]
                decayed = [value for value in trained if value.ndim > 1]
                plain = [value for value in trained if value.ndim <= 1]
            groups = [
                {"params": decayed, "weight_decay": self._settings.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ]
            made = torch.optim.AdamW(
                [group for group in groups if group["params"]], lr=self._settings.learning_rate, fused=True
            )
            if self._rows is not None:
                self._rows.attach(made)
            self.optimizer = made
        return cast("torch.optim.Optimizer", made)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Warm-up, then the chosen schedule over the whole plan."""
        made = self.lr_scheduler
        if made is None:
            made = get_scheduler(
                self._settings.schedule,
                optimizer=optimizer or self.optimizer,
                num_warmup_steps=round(self._settings.warmup * num_training_steps),
                num_training_steps=num_training_steps,
            )
            self.lr_scheduler = made
        return made

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ) -> Tensor:
        """The batch's part of its step's loss."""
        smoothing = self._settings.label_smoothing
        loss = batch_loss(self.model, inputs, smoothing, forward=model, legal=self._parts.legal)
        self._losses.append(loss.detach())
        return loss

    def taken_losses(self) -> list[float]:
        """Losses of the batches since this was last asked, and forget them."""
        values: list[float] = torch.stack(self._losses).tolist() if self._losses else []
        self._losses = []
        return values

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Judge the validation rows; keep the weights when they are the best, stop when patience is out."""
        loss, figures = self._validation_loss(), {}
        if self._parts.ranking:
            figures = self._parts.ranking.metrics()
        step, ranked = self.state.global_step, figures.get(self._settings.select_by)
        if self.selection.evaluated(step, loss, ranked) and self._settings.keep == "best":
            self.keep_best()
        self.control.should_training_stop |= self.selection.stopped
        self._context.log("valid", step=step, loss=loss, **figures)
        # Trainer clears the request here; without it the end of the epoch would evaluate once more.
        metrics = {"eval_loss": loss}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    @torch.no_grad()
    def _validation_loss(self) -> float:
        """Weighted mean loss of the validation samples' learnt tokens, without label smoothing."""
        table = self._parts.valid
        rows = torch.arange(len(table)).numpy()
        total, weight = 0.0, 0.0
        self.model.eval()
        for batch in bucketed(
            rows, table.lengths, self._settings.batch_size, self._settings.tokens_per_batch
        ):
            inputs = self._prepare_inputs(self._valid.batch(batch))
            with self.accelerator.autocast():
                losses, weights = learnt_losses(self.model, inputs, legal=self._parts.legal)
            total += float((losses * weights).sum())
            weight += float(weights.sum())
        return total / weight


class _Watch(TrainerCallback):
    """Asks for evaluations and checkpoints, and reports progress."""

    def __init__(
        self, loop: Loop, parts: LoopParts, settings: Settings, context: Context, advance: Advance
    ) -> None:
        self._loop, self._context, self._advance = loop, context, advance
        self._steps = parts.schedule.steps
        every = settings.evaluate_every
        chosen = range(every, self._steps, every) if every else parts.schedule.epoch_steps
        self._ends = {*chosen, self._steps}
        self._validates = len(parts.valid) > 0
        self._accumulation = settings.accumulation
        self._point = max(1, self._steps // POINTS)
        self._seconds = settings.checkpoint_minutes * 60
        self._saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """After each optimiser step."""
        step = state.global_step
        self._advance(1)
        due = time.monotonic() - self._saved >= self._seconds
        ends = step in self._ends
        if step % self._point == 0 or ends or due:
            self._note(step, point=step % self._point == 0 or ends)
        control.should_evaluate = ends and self._validates
        control.should_save = ends or due
        if control.should_save:
            self._saved = time.monotonic()
        return control

    def _note(self, step: int, *, point: bool) -> None:
        losses = self._loop.taken_losses()
        # A step's loss is the sum of its batches' parts.
        size = self._accumulation
        steps = [sum(losses[start : start + size]) for start in range(0, len(losses), size)]
        self._loop.selection.trained(step, steps, point=point)
        if point and self._loop.selection.train:
            self._context.log("train", step=step, loss=self._loop.selection.train[-1][1])
