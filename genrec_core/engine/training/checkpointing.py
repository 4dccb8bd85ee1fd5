"""The seam to transformers' Trainer: everything of its inside that we rely on or replace is in this module.

Trainer pickles its optimiser, scheduler, random state and arguments, and writes them in no order that
survives a kill. The four methods that do this are replaced by ones that write safetensors and JSON, whole
or not at all. They are private, so `RELIED_UPON` names them with their parameters, and a test fails by
name when an upgrade changes one. The rest is public: `create_optimizer`, `create_scheduler`,
`get_train_dataloader`, `compute_loss`, `evaluate`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors.torch import load_file, save_file
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from genrec_core.engine.training.checkpoints import (
    load_optimizer,
    load_weights,
    save_optimizer,
    save_weights,
    write_checkpoint,
)
from genrec_core.engine.training.selection import Selection

CHECKPOINT, BEST = "checkpoint", "best"

WEIGHTS = "weights.safetensors"
OPTIMIZER, OPTIMIZER_PLAIN = "optimizer.safetensors", "optimizer.json"
SCHEDULER, RANDOM = "scheduler.json", "random.safetensors"
TRAINER_STATE = "trainer_state.json"
"""The name under which Trainer looks for its own state when it resumes."""

RELIED_UPON: dict[str, tuple[str, ...]] = {
    "_save_checkpoint": ("self", "model", "trial"),
    "_load_from_checkpoint": ("self", "resume_from_checkpoint", "model"),
    "_load_optimizer_and_scheduler": ("self", "checkpoint"),
    "_load_rng_state": ("self", "checkpoint"),
    "_get_num_items_in_batch": ("self", "batch_samples", "device"),
}
"""Private methods of Trainer that we replace, with the parameters they had when this was written."""


class CheckpointingTrainer(Trainer):
    """Trainer whose checkpoints are ours.

    Args:
        folder: where checkpoints and best weights go.
        identity: hash of what is trained on what; see `checkpoints`.
        selection: kept with each checkpoint.
        options: what Trainer takes.
    """

    optimizer: Any
    lr_scheduler: Any
    control: Any
    loss_is_scaled_for_ga = True  # batches carry the denominator of their whole step

    def __init__(self, folder: Path, identity: str, selection: Selection, **options: Any) -> None:
        self.folder, self.identity, self.selection = folder, identity, selection
        super().__init__(**options)
        self.remove_callback(PrinterCallback)
        self.args._n_gpu = min(self.args.n_gpu, 1)  # no DataParallel behind the user's back

    def keep_best(self) -> None:
        """Keep the present weights as the best of the run."""
        write_checkpoint(
            self.folder / f"{BEST}-{self.state.global_step}",
            self.identity,
            lambda folder: save_weights(self.model, folder / WEIGHTS),
        )

    def load_best(self) -> None:
        """Go back to the best weights."""
        load_weights(self.model, self.folder / f"{BEST}-{self.selection.best_step}" / WEIGHTS)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        write_checkpoint(
            self.folder / f"{CHECKPOINT}-{step}", self.identity, self._write_state, self.selection.state()
        )
        kept = {f"{CHECKPOINT}-{step}", f"{BEST}-{self.selection.best_step}"}
        for prefix in (CHECKPOINT, BEST):
            for old in self.folder.glob(f"{prefix}-*"):
                if old.name not in kept:
                    shutil.rmtree(old, ignore_errors=True)

    def _write_state(self, folder: Path) -> None:
        save_weights(self.model, folder / WEIGHTS)
        save_optimizer(self.optimizer.state_dict(), folder / OPTIMIZER, folder / OPTIMIZER_PLAIN)
        (folder / SCHEDULER).write_bytes(orjson.dumps(self.lr_scheduler.state_dict()))
        states = {"cpu": torch.random.get_rng_state()}
        if torch.cuda.is_available():
            states |= {f"cuda.{n}": state for n, state in enumerate(torch.cuda.get_rng_state_all())}
        save_file(states, folder / RANDOM)
        self.state.save_to_json(str(folder / TRAINER_STATE))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_weights(self.model, Path(resume_from_checkpoint) / WEIGHTS)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        self.optimizer.load_state_dict(load_optimizer(folder / OPTIMIZER, folder / OPTIMIZER_PLAIN))
        self.lr_scheduler.load_state_dict(orjson.loads((folder / SCHEDULER).read_bytes()))

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
