"""The loop: one planned run of rounds on TRL's trainer, watched by the rails.

Steps are optimiser steps; `updates` of them learn from one round. Evaluations and checkpoints come at the
ends of rounds only, so rollouts need not be kept: a resumed run makes the next round from weights and seed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import TrainerCallback, get_scheduler

from genrec_core.contracts.context import Advance, Context
from genrec_core.engine.decoding.validation import SearchValidation
from genrec_core.engine.models.model import Model
from genrec_core.engine.rl.log_probabilities import Scorer, evaluating
from genrec_core.engine.rl.rails import Rails
from genrec_core.engine.rl.rounds import Round, Rounds
from genrec_core.engine.rl.settings import Settings
from genrec_core.engine.rl.trl_seam import PolicyTrainer, move_towards
from genrec_core.engine.training.checkpoints import load_weights, save_weights

POINTS = 200
"""The training curves have about so many points."""

EVALUATIONS = 10
"""How often a run is evaluated by default."""

REFERENCE = "reference.safetensors"


@dataclass(frozen=True)
class LoopParts:
    """What a loop runs on.

    Attributes:
        rounds: makes rounds.
        validation: judges weights.
        scorer: of the policy.
        reference: of the model that training starts from; None without KL.
    """

    rounds: Rounds
    validation: SearchValidation
    scorer: Scorer
    reference: Scorer | None


class _Steps(Dataset[dict[str, int]]):
    """The numbers of the optimiser steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, int]:
        return {"step": step}


def _alone(steps: list[dict[str, int]]) -> dict[str, int]:
    return steps[0]


class Loop(PolicyTrainer):
    """A run: `run()` trains to the end of the plan or until patience runs out."""

    rails: Rails

    def __init__(
        self, model: Model, parts: LoopParts, settings: Settings, context: Context, **options: Any
    ) -> None:
        self._parts, self._settings, self._context = parts, settings, context
        self._round: tuple[int, Round] | None = None
        self.rails = options["selection"]
        rounds = len(parts.rounds.prompts.rounds)
        self.steps = min(rounds * settings.updates, settings.max_steps or rounds * settings.updates)
        super().__init__(
            network=model.network,
            text_tokenizer=model.text_tokenizer,
            beta=settings.beta,
            scorer=parts.scorer,
            **options,
        )

    def run(self, checkpoint: Path | None) -> None:
        """Train, from a checkpoint if there is one.

        Raises:
            StageError: a loss or a reward is not a number.
        """
        done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
        self.state.global_step = done
        if checkpoint is None:
            self.evaluate()
        elif self.rails.stopped or done >= self.steps:
            self._load_from_checkpoint(str(checkpoint))
            return
        with self._context.progress("training", total=self.steps) as advance:
            advance(done)
            self.add_callback(_Watch(self, self._settings, self._context, advance))
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def inputs_of(self, step: int) -> Round:
        """The round of a step, made by the policy as it is when the round begins."""
        number = step // self._settings.updates
        if self._round is None or self._round[0] != number:
            with evaluating(self.model), self.accelerator.autocast():
                made = self._parts.rounds.make(number, self._parts.reference)
            self._round = (number, made)
            self.rails.noted(step + 1, made.figures)
            self.rails.rollouts += len(made.ids)
            read = sum(piece.ids.numel() for piece in made.pieces)
            self.rails.tokens += read * self._settings.updates
        return self._round[1]

    def get_train_dataloader(self) -> DataLoader[dict[str, int]]:
        """The steps in order."""
        return DataLoader(_Steps(self.steps), batch_size=1, shuffle=False, collate_fn=_alone)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW; matrices decay, norms and biases do not."""
        made = self.optimizer
        if made is None:
            trained = [value for value in self.model.parameters() if value.requires_grad]
            groups = [
                {
                    "params": [value for value in trained if value.ndim > 1],
                    "weight_decay": self._settings.weight_decay,
                },
                {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
            ]
            made = torch.optim.AdamW(groups, lr=self._settings.learning_rate, fused=True)
            self.optimizer = made
        return cast("torch.optim.Optimizer", made)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Warm-up, then the chosen schedule over the whole plan."""
        made = self.lr_scheduler
        if made is None:
            warmup = round(self._settings.warmup * num_training_steps)
            made = get_scheduler(
                "constant_with_warmup" if self._settings.schedule == "constant" else self._settings.schedule,
                optimizer=optimizer or self.optimizer,
                num_warmup_steps=warmup,
                num_training_steps=num_training_steps,
            )
            self.lr_scheduler = made
        return made

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> torch.Tensor:
        """TRL's loss of a step; its figures go to the rails."""
        loss = self._compute_loss(model, inputs)
        self.rails.noted(self.state.global_step + 1, {"loss": float(loss.detach()), **self.taken_figures()})
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """SearchValidation metrics; keeps the weights when they are the best, stops when patience is out."""
        step = self.state.global_step
        with evaluating(self.model), self.accelerator.autocast():
            metrics = self._parts.validation.metrics()
        if self.rails.evaluated(step, metrics, self._settings.metric):
            self.keep_best()
        self.control.should_training_stop |= self.rails.stopped
        self._context.log("valid", step=step, **metrics)
        # Trainer clears the request here; without it the end of the epoch would evaluate once more.
        told = {f"eval_{name}": value for name, value in metrics.items()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, told)
        return told

    def synchronised(self, step: int) -> None:
        """Move the reference towards the policy when it is time to."""
        every, reference = self._settings.sync_reference, self._parts.reference
        if reference is not None and every and step % every == 0:
            move_towards(reference.network, self.model, self._settings.sync_share)

    def _write_state(self, folder: Path) -> None:
        super()._write_state(folder)
        if self._parts.reference is not None and self._settings.sync_reference:
            save_weights(self._parts.reference.network, folder / REFERENCE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self._parts.reference is not None and self._settings.sync_reference:
            load_weights(self._parts.reference.network, Path(resume_from_checkpoint) / REFERENCE)


class _Watch(TrainerCallback):
    """Asks for evaluations and checkpoints at the ends of rounds, and reports progress."""

    def __init__(self, loop: Loop, settings: Settings, context: Context, advance: Advance) -> None:
        self._loop, self._context, self._advance = loop, context, advance
        self._updates = settings.updates
        rounds = -(-loop.steps // settings.updates)
        every = settings.evaluate_every or max(1, rounds // EVALUATIONS)
        self._ends = {*range(every * settings.updates, loop.steps, every * settings.updates), loop.steps}
        self._point = max(1, loop.steps // POINTS)
        self._seconds = settings.checkpoint_minutes * 60
        self._saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """After each optimiser step."""
        step = state.global_step
        self._advance(1)
        self._loop.synchronised(step)
        ends = step in self._ends
        due = step % self._updates == 0 and time.monotonic() - self._saved >= self._seconds
        if step % self._point == 0 or ends:
            means = self._loop.rails.point(step)
            self._context.log("train", step=step, **means)
        control.should_evaluate = ends
        control.should_save = ends or due
        if control.should_save:
            self._saved = time.monotonic()
        return control
