"""The seam to transformers' Trainer: a planned run of optimiser steps that survives a kill.

What we take from Trainer is its loop: accumulation, clipping, mixed precision, devices. What we replace:

- checkpoints. Trainer pickles its optimiser, scheduler, random state and arguments, and writes them in no
  order that survives a kill; ours are safetensors and JSON, whole or not at all (`checkpoints`).
- when to evaluate, to save and to stop: a `BestTracker` decides, and a checkpoint keeps it.
- optimiser and schedule, the same for every trainer: AdamW on what is trained (matrices decay, norms and
  biases do not), a warm-up, then the schedule over the whole plan.

The private methods that we replace are named in `engine.relied_upon`; the rest is public.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainerCallback, get_scheduler
from transformers.trainer_callback import PrinterCallback

from genrec_core.contracts.context import Advance, Context
from genrec_core.engine.models.freezing import MasterWeights
from genrec_core.engine.training.best_tracker import BestTracker
from genrec_core.engine.training.checkpoints import (
    BEST,
    CHECKPOINT,
    load_optimizer,
    load_weights,
    save_optimizer,
    save_weights,
    write_checkpoint,
)

WEIGHTS_FILE = "weights.safetensors"
OPTIMIZER, OPTIMIZER_PLAIN = "optimizer.safetensors", "optimizer.json"
MASTERS = "masters.safetensors"
SCHEDULER, RANDOM = "scheduler.json", "random.safetensors"
TRAINER_STATE = "trainer_state.json"
"""The name under which Trainer looks for its own state when it resumes."""

POINTS = 200
"""A training curve has about so many points."""


def loop_arguments(settings: Any, seed: int, folder: Path, device: torch.device) -> dict[str, Any]:
    """Trainer's arguments: one pass over our plan, no saving or reporting of its own.

    Args:
        settings: with `clip`, `learning_rate` and a resolved `precision`.
        seed: of the run.
        folder: where the loop may put something; ours do not.
        device: of the network.
    """
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "max_grad_norm": settings.clip,
        "learning_rate": settings.learning_rate,
        "seed": seed,
        "bf16": settings.precision == "bfloat16",
        "use_cpu": device.type == "cpu",
        "logging_strategy": "no",
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_nan_inf_filter": False,
        "log_level": "error",
        "disable_tqdm": True,
        "report_to": "none",
    }


class StepNumbers(Dataset[int]):
    """The numbers of the plan's batches, in order."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> int:
        return number


class PlannedTrainer(Trainer):
    """Trainer over a plan whose checkpoints, evaluations and optimiser are ours.

    A subclass says what a batch is (`batch`), what the loss is (`compute_loss`) and what an evaluation gives
    (`validation_figures`).

    Args:
        folder: where checkpoints and best weights go.
        identity: hash of what is trained on what; see `checkpoints`.
        tracker: kept with each checkpoint.
        settings: with the fields that every trainer's settings share.
        context: gets progress and log lines.
        options: what Trainer takes.
    """

    optimizer: Any
    lr_scheduler: Any
    control: Any
    loss_is_scaled_for_ga = True  # batches carry the denominator of their whole step

    steps: int
    """Optimiser steps of the plan."""
    batches: int
    """Batches of the plan."""
    ends: frozenset[int]
    """Steps after which validation rows are looked at and a checkpoint is made."""
    epoch_ends: Sequence[int] = ()
    """The last step of each epoch."""
    validates = True
    """Whether there are validation rows."""
    select_by: str
    """The validation figure that selects."""
    keeps_best = True
    """Whether the best weights are handed on, or else the last."""
    save_every = 1
    """Steps between which no checkpoint can be made."""

    def __init__(
        self,
        folder: Path,
        identity: str,
        tracker: BestTracker,
        settings: Any,
        context: Context,
        **options: Any,
    ) -> None:
        self.folder, self.identity, self.tracker = folder, identity, tracker
        self._settings, self._context = settings, context
        self.masters: list[MasterWeights] = []
        super().__init__(**options)
        self.remove_callback(PrinterCallback)
        self.args._n_gpu = min(self.args.n_gpu, 1)  # no DataParallel behind the user's back

    def batch(self, number: int) -> Any:
        """Batch `number` of the plan, as `compute_loss` takes it."""
        raise NotImplementedError

    def validation_figures(self) -> dict[str, float]:
        """Figures of the validation rows under the weights as they are."""
        raise NotImplementedError

    def before_first_step(self) -> None:
        """Whatever a run that starts anew does before it moves."""

    def after_step(self, step: int, *, point: bool, save: bool) -> None:
        """After an optimiser step: `point` when the curves get one, `save` when a checkpoint will be made."""
        if point:
            means = self.tracker.draw_point(step)
            if means:
                figures = {name.removeprefix("train "): value for name, value in means.items()}
                self._context.log("train", step=step, **self._epoch(step), **figures)

    def run(self, checkpoint: Path | None) -> None:
        """Train to the end of the plan or until patience runs out, from a checkpoint if there is one.

        Raises:
            StageError: a figure is no longer a number.
        """
        done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
        self.state.global_step = done
        if checkpoint is None:
            self.before_first_step()
        else:
            self._context.log("resumed", checkpoint=checkpoint.name)
            if self.tracker.stopped or done >= self.steps:
                self._load_from_checkpoint(str(checkpoint))
                return
        with self._context.progress("training", total=self.steps) as advance:
            advance(done)
            self.add_callback(_Watch(self, self._settings.checkpoint_minutes * 60, advance))
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The plan's batches in order."""
        return DataLoader(StepNumbers(self.batches), batch_size=1, shuffle=False, collate_fn=self._collated)

    def _collated(self, numbers: list[int]) -> Any:
        return self.batch(numbers[0])

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW on what is trained; of weights that are not float32 it owns float32 copies."""
        made = self.optimizer
        if made is None:
            owned = {id(weight) for copies in self.masters for weight in copies.owners}
            trained = [
                value for value in self.model.parameters() if value.requires_grad and id(value) not in owned
            ]
            short = [value for value in trained if value.dtype != torch.float32]
            if short:
                self.masters.append(MasterWeights([(value, None) for value in short]))
            trained = [value for value in trained if value.dtype == torch.float32]
            trained += [own for copies in self.masters for own in copies.parameters]
            groups = [
                {
                    "params": [value for value in trained if value.ndim > 1],
                    "weight_decay": self._settings.weight_decay,
                },
                {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
            ]
            groups = [group for group in groups if group["params"]]
            made = torch.optim.AdamW(groups, lr=self._settings.learning_rate, fused=True)
            for copies in self.masters:
                copies.attach(made)
            self.optimizer = made
        return cast("torch.optim.Optimizer", made)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Warm-up, then the chosen schedule over the whole plan."""
        made = self.lr_scheduler
        if made is None:
            schedule = self._settings.schedule
            made = get_scheduler(
                "constant_with_warmup" if schedule == "constant" else schedule,
                optimizer=optimizer or self.optimizer,
                num_warmup_steps=round(self._settings.warmup * num_training_steps),
                num_training_steps=num_training_steps,
            )
            self.lr_scheduler = made
        return made

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Look at the validation rows; keep the weights when they are the best, stop when patience is out."""
        step, figures = self.state.global_step, self.validation_figures()
        if self.tracker.evaluated(step, figures, self.select_by) and self.keeps_best:
            self.keep_best()
        self.control.should_training_stop |= self.tracker.stopped
        self._context.log("valid", step=step, **self._epoch(step), **figures)
        # Trainer clears the request here; without it the end of the epoch would evaluate once more.
        metrics = {f"eval_{name}": value for name, value in figures.items()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _epoch(self, step: int) -> dict[str, int]:
        """In which epoch a step is, counted from 1; nothing where the plan has none."""
        return {"epoch": 1 + sum(end < step for end in self.epoch_ends)} if self.epoch_ends else {}

    def keep_best(self) -> None:
        """Keep the present weights as the best of the run."""
        write_checkpoint(
            self.folder / f"{BEST}-{self.state.global_step}",
            self.identity,
            lambda folder: save_weights(self.model, folder / WEIGHTS_FILE),
        )

    def load_best(self) -> None:
        """Go back to the best weights."""
        load_weights(self.model, self.folder / f"{BEST}-{self.tracker.best_step}" / WEIGHTS_FILE)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        write_checkpoint(self.folder / f"{CHECKPOINT}-{step}", self.identity, self._write_state, self.tracker)
        kept = {f"{CHECKPOINT}-{step}", f"{BEST}-{self.tracker.best_step}"}
        for prefix in (CHECKPOINT, BEST):
            for old in self.folder.glob(f"{prefix}-*"):
                if old.name not in kept:
                    shutil.rmtree(old, ignore_errors=True)

    def _write_state(self, folder: Path) -> None:
        save_weights(self.model, folder / WEIGHTS_FILE)
        save_optimizer(self.optimizer.state_dict(), folder / OPTIMIZER, folder / OPTIMIZER_PLAIN)
        save_file(self._copies(), folder / MASTERS)
        (folder / SCHEDULER).write_bytes(orjson.dumps(self.lr_scheduler.state_dict()))
        states = {"cpu": torch.random.get_rng_state()}
        if torch.cuda.is_available():
            states |= {f"cuda.{n}": state for n, state in enumerate(torch.cuda.get_rng_state_all())}
        save_file(states, folder / RANDOM)
        self.state.save_to_json(str(folder / TRAINER_STATE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint) / WEIGHTS_FILE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        self.optimizer.load_state_dict(load_optimizer(folder / OPTIMIZER, folder / OPTIMIZER_PLAIN))
        self.lr_scheduler.load_state_dict(orjson.loads((folder / SCHEDULER).read_bytes()))
        saved = load_file(folder / MASTERS)
        with torch.no_grad():
            for name, own in self._copies().items():
                own.copy_(saved[name])

    def _copies(self) -> dict[str, torch.Tensor]:
        """The float32 copies that the optimiser owns."""
        every = (own for copies in self.masters for own in copies.parameters)
        return {str(number): own.detach() for number, own in enumerate(every)}

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        states = load_file(Path(checkpoint) / RANDOM)
        torch.random.set_rng_state(states.pop("cpu"))
        if states and torch.cuda.is_available():
            torch.cuda.set_rng_state_all([states[name] for name in sorted(states)])

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> None:
        """Counts nothing: a batch carries its denominator."""

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: the run's cost is given in tokens and seconds."""
        return 0


class _Watch(TrainerCallback):
    """Asks for evaluations and checkpoints, and reports progress."""

    def __init__(self, loop: PlannedTrainer, seconds: float, advance: Advance) -> None:
        self._loop, self._seconds, self._advance = loop, seconds, advance
        self._every = max(1, loop.steps // POINTS)
        self._saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """After each optimiser step."""
        loop, step = self._loop, state.global_step
        self._advance(1)
        ends = step in loop.ends
        due = step % loop.save_every == 0 and time.monotonic() - self._saved >= self._seconds
        loop.after_step(step, point=ends or step % self._every == 0, save=ends or due)
        control.should_evaluate = ends and loop.validates
        control.should_save = ends or due
        if control.should_save:
            self._saved = time.monotonic()
        return control
