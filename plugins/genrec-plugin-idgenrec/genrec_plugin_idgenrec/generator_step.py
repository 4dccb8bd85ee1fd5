"""The generator's step of alternate training: φ learns, the recommender ω stays as it is (IDGenRec §2.5.2).

Prompts are those of the recommender's own task. The identifiers in them become soft (`soft`), the target's
stays what it is, and the loss of the target trains φ alone: ω's tensors are only read, and no optimiser
knows them. φ must be float32: a rate such as the paper's 10⁻⁸ is lost in the rounding of bfloat16.

Several processes (`accelerate launch`) split each batch. Every process divides by the learnt tokens of the
whole batch, and gradients are added up over all, so that they are those of one process to rounding.

A killed step goes on from its newest checkpoint and ends with the same bits: batches and dropout depend on
seed and step alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from accelerate import PartialState

from genrec_core import Catalogue, Context, GenrecError
from genrec_core.engine import (
    BestTracker,
    Model,
    Rendered,
    load_optimizer,
    load_weights,
    resumable,
    save_optimizer,
    save_weights,
    write_checkpoint,
)
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.generator_settings import GeneratorSettings
from genrec_plugin_idgenrec.soft import (
    batch_of,
    embedding_table,
    identifier_logits,
    soft_embeddings,
    token_losses,
)

WEIGHTS, OPTIMIZER, OPTIMIZER_PLAIN = "weights.safetensors", "optimizer.safetensors", "optimizer.json"

WeightedSample = tuple[Rendered, float]
"""A rendered sample and its weight."""


class GeneratorStep:
    """φ's training in one round.

    Args:
        generator: φ over the catalogue; its model is trained in place.
        recommender: ω, only read.
        catalogue: items and the identifiers that stand in prompts.
        rows: training samples, rendered for the recommender.
        settings: how long and how fast.
        seed: of batches and dropout.
    """

    def __init__(
        self,
        generator: Generator,
        recommender: Model,
        catalogue: Catalogue,
        rows: Sequence[WeightedSample],
        settings: GeneratorSettings,
        seed: int,
    ) -> None:
        self.generator, self.recommender, self.settings = generator, recommender, settings
        self.rows, self.seed = rows, seed
        self._written = [list(key) for key in recommender.tokenise(catalogue.answers("identifier"))]
        size = -(-len(rows) // settings.batch_size)
        self.steps = min(size * settings.epochs, settings.max_steps or size * settings.epochs)
        refuse_unlike(generator.model, recommender)

    def gradients(self, rows: Sequence[WeightedSample]) -> float:
        """Add the gradients of a batch's mean loss to φ's parameters, over all processes; the loss."""
        state, settings, phi = PartialState(), self.settings, self.generator
        total = batch_of(rows, self.recommender, settings.newest).learnt
        own = rows[state.process_index :: state.num_processes]
        loss = torch.zeros((), device=self.recommender.device)
        if own:
            batch = batch_of(own, self.recommender, settings.newest)
            soft = None
            if batch.items:
                logits = identifier_logits(phi, batch.items, [self._written[item] for item in batch.items])
                soft = soft_embeddings(logits, embedding_table(self.recommender), settings.temperature)
            loss = token_losses(self.recommender, batch, soft) / max(total, 1e-9)
            if soft is not None:
                loss.backward()
        if state.num_processes > 1:
            for parameter in phi.model.network.parameters():
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                torch.distributed.all_reduce(parameter.grad)
            torch.distributed.all_reduce(loss := loss.detach().clone())
        return float(loss.detach())

    def batch(self, step: int) -> list[WeightedSample]:
        """The samples of a step: every epoch a permutation of its own."""
        epoch, place = divmod(step, -(-len(self.rows) // self.settings.batch_size))
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.rows))
        size = self.settings.batch_size
        return [self.rows[row] for row in order[place * size : (place + 1) * size].tolist()]

    def run(self, folder: Path, identity: str, context: Context) -> list[tuple[float, float]]:
        """All steps, from the newest checkpoint in `folder` on; the loss by step."""
        network, settings = self.generator.model.network, self.settings
        identity = hashlib.sha256(f"{identity}{self._identity()}".encode()).hexdigest()
        optimiser = torch.optim.AdamW(_groups(network, settings.weight_decay), lr=settings.learning_rate)
        checkpoint, tracker = resumable(folder, identity, None, context, needs_best=False)
        done = 0
        if checkpoint is not None:
            load_weights(network, checkpoint / WEIGHTS)
            optimiser.load_state_dict(load_optimizer(checkpoint / OPTIMIZER, checkpoint / OPTIMIZER_PLAIN))
            done = int(checkpoint.name.rpartition("-")[2])
            context.log("resumed", checkpoint=checkpoint.name)
        saved, every = time.monotonic(), max(1, self.steps // 200)
        with (
            context.progress("generator", self.steps) as advance,
            reading_only(self.recommender.network),
            torch.random.fork_rng(),
        ):
            advance(done)
            network.train()
            for step in range(done, self.steps):
                torch.manual_seed(int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0]))
                tracker.add(step + 1, {"generator loss": self._step(optimiser, step)})
                advance(1)
                last = step + 1 == self.steps
                if last or (step + 1) % every == 0:
                    tracker.draw_point(step + 1)
                if last or time.monotonic() - saved >= settings.checkpoint_minutes * 60:
                    _keep(folder, step + 1, identity, network, optimiser, tracker)
                    saved = time.monotonic()
            network.eval()
        return tracker.curves.get("generator loss", [])

    def _step(self, optimiser: torch.optim.Optimizer, step: int) -> float:
        settings, network = self.settings, self.generator.model.network
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate(step, self.steps, settings)
        optimiser.zero_grad()
        loss = self.gradients(self.batch(step))
        if settings.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimiser.step()
        return loss

    def _identity(self) -> str:
        body = hashlib.sha256(
            orjson.dumps([self.seed, self.settings.model_dump(exclude={"checkpoint_minutes"})])
        )
        for rendered, weight in self.rows:
            body.update(np.asarray([*rendered.ids, rendered.prompt_length], dtype=np.int64).tobytes())
            body.update(str(weight).encode())
        return body.hexdigest()


def rate(step: int, steps: int, settings: GeneratorSettings) -> float:
    """The share of the highest learning rate in a step, counted from 0."""
    warm = round(settings.warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 1.0 if settings.schedule == "constant" else (steps - step) / max(1, steps - warm)


def refuse_unlike(generator: Model, recommender: Model) -> None:
    """Refuse a generator whose distribution is not over the recommender's tokens, or that is not float32.

    Raises:
        GenrecError: see above.
    """
    weights = next(generator.network.parameters())
    if weights.dtype != torch.float32:
        raise GenrecError(
            f"the generator's weights are {str(weights.dtype).removeprefix('torch.')}, in which small steps "
            "are rounded away",
            hint="write `dtype: float32` for the generator's backbone",
        )
    own, other = generator.text_tokenizer.get_vocab(), recommender.text_tokenizer.get_vocab()
    rows = generator.network.get_output_embeddings().weight.shape[0]
    known = recommender.network.get_input_embeddings().weight.shape[0]
    if own != other or rows != known:
        raise GenrecError(
            f"the generator writes {len(own):,} tokens ({rows:,} rows) and the recommender reads "
            f"{len(other):,} ({known:,} rows): soft identifiers need one vocabulary for both",
            hint="use the same checkpoint family, or tiny backbones with the same `vocabulary` and "
            "`learn_from: all`",
        )


@contextmanager
def reading_only(network: Any) -> Iterator[None]:
    """A network that gradients pass through and that gets none itself."""
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    training = network.training
    network.requires_grad_(False)
    network.eval()
    try:
        yield
    finally:
        for parameter, flag in before:
            parameter.requires_grad_(flag)
        network.train(training)


def _groups(network: Any, decay: float) -> list[dict[str, Any]]:
    parameters = list(network.parameters())
    return [
        {"params": [value for value in parameters if value.ndim > 1], "weight_decay": decay},
        {"params": [value for value in parameters if value.ndim <= 1], "weight_decay": 0.0},
    ]


def _keep(
    folder: Path,
    step: int,
    identity: str,
    network: Any,
    optimiser: torch.optim.Optimizer,
    tracker: BestTracker,
) -> None:
    """A checkpoint, by the first process; earlier ones go."""
    import shutil

    def write(where: Path) -> None:
        save_weights(network, where / WEIGHTS)
        save_optimizer(optimiser.state_dict(), where / OPTIMIZER, where / OPTIMIZER_PLAIN)

    state = PartialState()
    if state.is_main_process:
        write_checkpoint(folder / f"checkpoint-{step}", identity, write, tracker)
        for old in folder.glob("checkpoint-*"):
            if old.name != f"checkpoint-{step}":
                shutil.rmtree(old, ignore_errors=True)
    state.wait_for_everyone()
