"""A step of reinforcement learning: ours, TRL's own, and TRL with the constrained beams of `generate`.

    python -m tests.benchmarks.rl --quick
    python -m tests.benchmarks.rl --json rl.json      # a few minutes on two cores

Contestants, all on the same network, prompts and group size, with answers of three tokens and no reference:

- `TRL sampling`: GRPOTrainer as it comes; it samples what it likes, and few answers are legal;
- `TRL generate+prefix`: GRPOTrainer whose rollouts are G beams of `generate` with
  `prefix_allowed_tokens_fn`, what published repositories do;
- `generate+prefix`: the same rollouts with the update of `bare repeated`, because TRL's own log-probability
  kernel is slow on a CPU and should not be what we are compared with;
- `legal`, `full`: core/grpo with beam rollouts and either normalisation;
- `bare legal`, `bare full`: the same rollouts and log-probabilities with a loss, backward pass and AdamW
  written by hand: what our step would cost without TRL's trainer around it;
- `bare repeated`: the rollouts of `full`, and an update in which each rollout has its own copy of the prompt.

Figures are seconds of a whole step (rollout, reward, update) by the clock and of the processor, medians over
steps of runs that take turns. Ratios are of processor seconds: they vary less on a machine that others use.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from genrec_core.builtin.grpo import GRPO
from genrec_core.builtin.hit import Hit
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Training, View
from genrec_core.engine.models.model import Model
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.prompts import plan_prompts
from genrec_core.engine.rl.rewards import RewardMixer
from genrec_core.engine.rl.rounds import Rounds
from genrec_core.engine.rl.strategies import DirectAnswers
from genrec_core.identifiers.trie import Trie
from tests.benchmarks.measuring import arguments, machine, ratio, write

ITEMS, CODES, LEVELS, VOCABULARY = 3_686, 256, 3, 32_000


@dataclass(frozen=True)
class Shape:
    """One setting: network, prompts of a step, rollouts of a prompt, history items, steps of a run, runs."""

    name: str
    hidden: int
    layers: int
    heads: int
    prompts: int
    group: int
    history: int
    steps: int
    runs: int

    def __str__(self) -> str:
        return f"{self.name}, {self.prompts} prompts × {self.group} rollouts, {self.history} items of history"


SMALL = Shape("4 layers of 128", 128, 4, 4, 4, 16, 15, 4, 2)
LONG = Shape("4 layers of 128", 128, 4, 4, 4, 16, 45, 4, 2)
LARGE = Shape("SmolLM2-135M's shape", 576, 30, 9, 2, 8, 15, 2, 1)


@dataclass
class World:
    """Everything contestants share."""

    shape: Shape
    catalogue: Catalogue
    training: Training
    trie: Trie

    def model(self) -> Model:
        """A fresh network; random weights cost what trained ones do."""
        shape = self.shape
        model = TinyCausal(
            hidden=shape.hidden, layers=shape.layers, heads=shape.heads, intermediate=shape.hidden * 8 // 3,
            vocabulary=280, device="cpu",
        ).build(self.catalogue, Context(seed=1))  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model.network.resize_token_embeddings(VOCABULARY, mean_resizing=False)
        return model


def world(shape: Shape) -> World:
    """Random identifiers and histories."""
    rng = np.random.default_rng(0)
    codes = rng.choice(CODES**LEVELS, size=ITEMS, replace=False)
    names = [(f"<a_{c // CODES**2}>", f"<b_{c // CODES % CODES}>", f"<c_{c % CODES}>") for c in codes]
    new = [f"<{level}_{code}>" for level in "abc" for code in range(CODES)]
    items = Items(tuple(map(str, range(ITEMS))), {"title": [f"thing {n % 50}" for n in range(ITEMS)]})
    catalogue = Catalogue(items, Identifiers.of(names, new_tokens=new))
    users = shape.prompts * shape.steps
    rows = rng.integers(0, ITEMS, (users, shape.history + 1))
    held = View("valid", ("u",), Sequences.of(rows[:1]), np.zeros(1, np.int32), shape.history)
    train = View("train", tuple(map(str, range(users))), Sequences.of(rows), None, shape.history)
    made = World(shape, catalogue, Training(train, held), None)  # type: ignore[arg-type]
    made.trie = Policy(made.model(), catalogue, "legal", 1.0, 32768).decoder.constraint().trie
    return made


Seconds = list[tuple[float, float]]
"""By the clock and of the processor, of each step."""


class Clock(TrainerCallback):
    """Seconds between the ends of steps; as a log of core/grpo it does the same."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Of TRL."""
        self.ends.append((time.perf_counter(), time.process_time()))

    def log(self, event: str, **_: Any) -> None:
        """Of ours."""
        if event == "train":
            self.on_step_end()

    def seconds(self) -> Seconds:
        """Of every step but the first, which warms up."""
        return [(float(wall), float(cpu)) for wall, cpu in np.diff(self.ends, axis=0)]


def ours(world: World, policy: Any) -> Seconds:
    """core/grpo; a prompt a user, the newest."""
    shape, clock = world.shape, Clock()
    GRPO(
        corpora=[NextItem(max_per_user=1)], reward=Hit(), group=shape.group, prompts=shape.prompts,
        policy=policy, beta=0.0, evaluate_every=10**6, learning_rate=1e-6, valid_beams=10,
    ).train({"main": world.model()}, world.catalogue, world.training, Context(log=clock.log))  # fmt: skip
    return clock.seconds()


def rounds(world: World, model: Model, policy: Any) -> Rounds:
    """The rounds of `ours`, to update by hand."""
    samples = list(NextItem(max_per_user=1).samples(world.training.train, world.catalogue, Context()))
    prompts = plan_prompts([samples], [1.0], epochs=1, prompts=world.shape.prompts, most=None, seed=0)
    writer = Policy(model, world.catalogue, policy, 1.0, 32768)
    return Rounds(
        prompts,
        writer,
        DirectAnswers(world.shape.group),
        lambda *_: None,
        RewardMixer((Hit(),)),
        "population",
        Context(),
    )


def bare(world: World, policy: Any, repeated: bool = False) -> Seconds:
    """Rollouts and an update written by hand."""
    model = world.model()
    made, clock = rounds(world, model, policy), Clock()
    scorer = TreeScorer(model.network, [made.policy.decoder.constraint()], policy, 1.0)
    optimiser = torch.optim.AdamW(model.network.parameters(), lr=1e-6, fused=True)
    for step in range(world.shape.steps):
        one = made.make(step, None)
        if repeated:
            scores = plain_scores(model.network, prompts_of(made, step), one.ids)
        else:
            scores, _ = scorer.score(one.trees, (len(one.ids), one.ids.shape[1]))
        update(scores, one.advantages, optimiser)
        clock.on_step_end()
    return clock.seconds()


def generate(world: World) -> Seconds:
    """Beams of `generate`, and an update in which each has its own copy of the prompt."""
    model, clock = world.model(), Clock()
    made = rounds(world, model, "full")
    optimiser = torch.optim.AdamW(model.network.parameters(), lr=1e-6, fused=True)
    for step in range(world.shape.steps):
        prompts = prompts_of(made, step)
        written = constrained_beams(world, model, torch.tensor(prompts))
        scores = plain_scores(model.network, prompts, written)
        update(scores, torch.linspace(-1, 1, len(written)), optimiser)
        clock.on_step_end()
    return clock.seconds()


def prompts_of(made: Rounds, step: int) -> list[tuple[int, ...]]:
    """Token ids of a round's prompts."""
    return [made.policy.prompt_of(sample).ids for sample in made.prompts.of(step)]


def update(scores: torch.Tensor, advantages: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
    """One step on GRPO's loss for rollouts whose every token is learnt."""
    surrogate = (scores - scores.detach()).exp() * advantages[:, None]
    (-surrogate.mean()).backward()
    torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
    optimiser.step()
    optimiser.zero_grad()


def plain_scores(network: Any, prompts: list[tuple[int, ...]], completions: torch.Tensor) -> torch.Tensor:
    """Log-probabilities [B, T] the usual way: every rollout behind its own copy of the prompt."""
    copies = torch.tensor(prompts).repeat_interleave(len(completions) // len(prompts), dim=0)
    ids = torch.cat([copies, completions], dim=1)
    kept = completions.shape[1] + 1
    logits = network(input_ids=ids, logits_to_keep=kept, use_cache=False).logits[:, :-1].float()
    chosen = logits.gather(2, completions[..., None]).squeeze(2)
    return chosen - logits.logsumexp(2)


def trl(world: World, beams: bool) -> Seconds:
    """GRPOTrainer; with `beams` its rollouts are constrained beams of `generate`."""
    shape, clock, model = world.shape, Clock(), world.model()
    made = rounds(world, model, "full")
    texts = [
        model.text_tokenizer.decode(made.policy.prompt_of(sample).ids, skip_special_tokens=False)
        for step in range(shape.steps)
        for sample in made.prompts.of(step)
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model.network,
            reward_funcs=lambda completions, **_: [float(hash(one) % 2) for one in completions],
            args=GRPOConfig(
                folder, per_device_train_batch_size=shape.prompts * shape.group, beta=0.0, report_to="none",
                num_generations=shape.group, max_completion_length=LEVELS, learning_rate=1e-6, use_cpu=True,
                max_steps=shape.steps, save_strategy="no", logging_strategy="no", disable_tqdm=True,
                activation_checkpointing=False, loss_type="grpo",
            ),
            train_dataset=Dataset.from_dict({"prompt": texts}),
            processing_class=model.text_tokenizer,
            callbacks=[clock],
            rollout_func=beam_rollouts(world, model) if beams else None,
        )  # fmt: skip
        trainer.train()
    return clock.seconds()


@torch.no_grad()
def constrained_beams(world: World, model: Model, ids: torch.Tensor) -> torch.Tensor:
    """G beams of `generate` behind each prompt [P, S], int64 [P × G, levels]."""
    trie, group = world.trie, world.shape.group

    def legal_after(_: int, row: torch.Tensor) -> list[int]:
        return trie.legal(trie.descend(row.tolist()[ids.shape[1] :])).tolist()

    written = model.network.generate(
        ids, attention_mask=torch.ones_like(ids), num_beams=group, num_return_sequences=group,
        do_sample=False, length_penalty=0.0, max_new_tokens=LEVELS, min_new_tokens=LEVELS,
        early_stopping=False, eos_token_id=model.end_id, pad_token_id=model.pad_id,
        prefix_allowed_tokens_fn=legal_after,
    )  # fmt: skip
    return written[:, ids.shape[1] :]


def beam_rollouts(world: World, model: Model) -> Callable[..., Any]:
    """TRL hands over each prompt G times in a row; `generate` answers each once, with G beams."""
    group = world.shape.group

    def rollouts(prompts: list[str], trainer: Any) -> dict[str, Any]:
        asked = [model.text_tokenizer(text)["input_ids"] for text in prompts[::group]]
        written = constrained_beams(world, model, torch.tensor(asked))
        return {
            "prompt_ids": [row for row in asked for _ in range(group)],
            "completion_ids": written.tolist(),
            "logprobs": [[0.0] * LEVELS for _ in written],
        }

    return rollouts


def measured(world: World) -> dict[str, tuple[float, float]]:
    """Median seconds of a step of each contestant; their runs take turns."""
    short = dataclasses.replace(world, shape=dataclasses.replace(world.shape, steps=2))
    contestants: dict[str, Callable[[], Seconds]] = {
        "legal": lambda: ours(world, "legal"),
        "bare legal": lambda: bare(world, "legal"),
        "full": lambda: ours(world, "full"),
        "bare full": lambda: bare(world, "full"),
        "bare repeated": lambda: bare(world, "full", repeated=True),
        "generate+prefix": lambda: generate(world),
        "TRL sampling": lambda: trl(short, beams=False),
        "TRL generate+prefix": lambda: trl(short, beams=True),
    }
    seconds: dict[str, Seconds] = {name: [] for name in contestants}
    for _ in range(world.shape.runs):
        for name, run in contestants.items():
            seconds[name] += run()
    return {
        name: (statistics.median(wall for wall, _ in times), statistics.median(cpu for _, cpu in times))
        for name, times in seconds.items()
    }


def compared(shape: Shape, times: dict[str, float]) -> dict[str, Any]:
    """What the project promises, in ratios."""
    against = "generate+prefix"
    return {
        f"legal, {shape}": ratio(times[against] / times["legal"], against, 5.0),
        f"full, {shape}": ratio(times[against] / times["full"], against, 5.0),
        f"legal, {shape}, in TRL": ratio(times[f"TRL {against}"] / times["legal"], f"TRL {against}"),
        f"full, {shape}, in TRL": ratio(times[f"TRL {against}"] / times["full"], f"TRL {against}"),
        f"full against sampling, {shape}": ratio(times["TRL sampling"] / times["full"], "TRL sampling"),
        f"overhead legal, {shape}": ratio(times["legal"] / times["bare legal"], "bare legal", 1.3),
        f"overhead full, {shape}": ratio(times["full"] / times["bare full"], "bare full", 1.3),
        f"shared prompts, {shape}": ratio(times["bare repeated"] / times["bare full"], "bare repeated"),
    }


def main() -> None:
    """Print a line a contestant, and the ratios."""
    options = arguments(__doc__ or "")
    rows, ratios = [], {}
    print(machine())
    for shape in [SMALL] if options.quick else [SMALL, LONG, LARGE]:
        times = measured(world(shape))
        print(shape)
        for name, (wall, cpu) in times.items():
            rate = shape.prompts * shape.group / wall
            print(f"  {name:20} {wall:8.3f} s a step, {cpu:8.3f} of the processor, {rate:7.1f} rollouts/s")
            row = {"seconds": wall, "processor seconds": cpu, "rollouts per second": rate}
            rows.append({"shape": str(shape), "name": name, **row})
        ratios |= compared(shape, {name: cpu for name, (_, cpu) in times.items()})
    for name, value in ratios.items():
        print(f"{name}: {value['value']}× {value['against']}")
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
