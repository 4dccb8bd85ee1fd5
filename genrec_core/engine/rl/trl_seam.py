"""The seam to TRL's GRPOTrainer: everything of its inside that we rely on or replace is in this module.

What we take: the losses with their clipping, the KL estimate, the ratio at token or sequence level, and the
figures it gathers on the way (`_compute_loss`), on top of transformers' loop. What we replace, and why:

- generation. TRL hands its generator prompts that are already repeated G times, demands groups of one size,
  and rewards strings. Rounds are ours: `_prepare_inputs` asks for the inputs of each step.
- the average over rollouts. TRL takes all of a batch alike, so that a large group weighs more than a small
  one; with `average: group` its loss is called once for all groups of one size, and the results are weighed
  by how many groups they are of. Rounds of groups of one size are one call, TRL's own loss.
- log-probabilities. TRL's kernel normalises over the whole vocabulary and reads every copy of a prompt; ours
  reads a tree (`trees`) and may normalise over legal tokens (`log_probabilities`).
- the reference. TRL loads it by the model's name from a hub, which for a model that was just fine-tuned is
  another model, or none. It is built without one; ours is a frozen copy of the network that it is given.
- checkpoints, as in fine-tuning (`training.trainer_seam`).

TRL also leaves marks on what it is given: a fused `forward`, tags, ids and a switch in its configs.
`PolicyTrainer.restore` takes them off. Most of this is private, so `engine.relied_upon` names the
methods with their parameters and what the loss reads, and tests fail by name when an upgrade changes one.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.rounds import Round
from genrec_core.engine.rl.settings import GRPOSettings
from genrec_core.engine.training.trainer_seam import PlannedTrainer, loop_arguments

FIGURES = {"kl": "kl", "entropy": "entropy", "clip_ratio/region_mean": "clipped tokens"}
"""Figures that the loss gathers, by the names of our curves."""

LARGEST_RATIO = 5.0
"""`epsilon_high` of `cispo` by default, where it bounds the ratio itself and not its distance from 1."""


# TRL turns it on by itself. transformers gave it another name; the lowest supported one has the old name.
_RECOMPUTING = [
    name
    for name in ("activation_checkpointing", "gradient_checkpointing")
    if name in {field.name for field in dataclasses.fields(GRPOConfig)}
][:1]


def grpo_arguments(
    settings: GRPOSettings, *, seed: int, folder: Path, device: torch.device, longest: int
) -> GRPOConfig:
    """TRL's configuration: one update a batch, no logging, saving, generating or loading of its own.

    Args:
        settings: ours.
        seed: of the run.
        folder: where TRL may put something; it does not.
        device: of the network.
        longest: tokens of the longest possible completion, which `dr_grpo` divides by.
    """
    high = settings.epsilon_high
    if high is None:
        high = LARGEST_RATIO if settings.loss == "cispo" else settings.epsilon
    arguments = GRPOConfig(
        **loop_arguments(settings, seed, folder, device),
        loss_type=settings.loss,
        importance_sampling_level=settings.importance,
        epsilon=settings.epsilon,
        epsilon_high=high,
        use_bias_correction_kl=settings.kl == "unbiased",
        beta=0.0,  # no reference of TRL's own making, as said above
        num_iterations=1,
        num_generations=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        max_completion_length=longest,
        **dict.fromkeys(_RECOMPUTING, False),
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # TRL refuses several GPUs in one process; we use the first
    return arguments


def _unused(completions: list[Any], **_: Any) -> list[float]:
    """TRL wants a reward function; rounds bring advantages."""
    return [0.0] * len(completions)


class PolicyTrainer(PlannedTrainer, GRPOTrainer):
    """GRPOTrainer whose steps are ours; `inputs_of` says what each is made from.

    Args:
        network: the policy; restored by `restore`.
        text_tokenizer: it is not used, but TRL wants one with a pad token.
        beta: weight of the KL divergence.
        scorer: scores rollouts under the policy.
        options: what `PlannedTrainer` and Trainer take; `settings.by_group` says how rollouts are averaged.
    """

    def __init__(
        self, network: Any, text_tokenizer: Any, beta: float, scorer: TreeScorer, **options: Any
    ) -> None:
        config, generation = network.config, network.generation_config
        self._before = (config.pad_token_id, generation.pad_token_id, config.use_cache)
        self._scorer = scorer
        self._by_group = options["settings"].by_group
        self._now: tuple[Tensor, Tensor] | None = None
        self._learnt: list[int] = []
        super().__init__(
            model=network,
            processing_class=text_tokenizer,
            reward_funcs=_unused,
            train_dataset=Dataset.from_dict({"prompt": ["", ""]}),
            **options,
        )
        self.beta = beta

    def inputs_of(self, step: int) -> Round:
        """The round that optimiser step `step` learns from."""
        raise NotImplementedError

    def restore(self) -> None:
        """Take TRL's marks off the network."""
        network: Any = self.model
        for mark in ("forward", "model_tags"):
            network.__dict__.pop(mark, None)
        network.config.pad_token_id, network.generation_config.pad_token_id, use_cache = self._before
        network.config.use_cache = use_cache

    def taken_figures(self) -> dict[str, float]:
        """What the loss gathered since this was last asked, by our names: means over learnt tokens."""
        gathered, learnt = self._metrics["train"], self._learnt
        figures = {ours: gathered[theirs] for theirs, ours in FIGURES.items() if gathered.get(theirs)}
        taken = {
            name: sum(value * tokens for value, tokens in zip(values, learnt, strict=True))
            / max(1, sum(learnt))
            for name, values in figures.items()
        }
        gathered.clear()
        learnt.clear()
        return {name: value for name, value in taken.items() if math.isfinite(value)}

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """The inputs of a step; TRL would generate here."""
        made = self.inputs_of(int(generation_batch["step"]))
        rollouts = len(made.ids)
        nothing = made.ids.new_zeros((rollouts, 0))  # prompts are in the trees, once each
        inputs: dict[str, Any] = {
            "prompt_ids": nothing,
            "prompt_mask": nothing,
            "completion_ids": made.ids,
            "completion_mask": made.learn.long(),
            "advantages": made.advantages,
            "num_items_in_batch": made.learn.sum(),
            "round": made,
        }
        if self.beta:
            inputs["ref_per_token_logps"] = made.reference
        if made.old:
            inputs["old_per_token_logps"] = made.old[0]
        return inputs

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        """TRL's loss, averaged over groups or over rollouts; it asks below for log-probabilities."""
        made: Round = inputs["round"]
        with self.accelerator.autocast():
            scores, entropies = self._scorer.score(made.trees, (len(made.ids), made.ids.shape[1]))
        if not made.old:
            made.old.append(scores.detach())  # the first update of a round is made by the old policy itself
        alike = rows_by_size(made.groups) if self._by_group else [(1.0, slice(None))]
        losses: list[Tensor] = []
        for share, rows in alike:
            part = inputs if len(alike) == 1 else {name: _rows(value, rows) for name, value in inputs.items()}
            self._now = scores[rows], entropies[rows]
            self._learnt.append(int(made.learn[rows].sum()))
            losses.append(share * super()._compute_loss(model, part))
        self._now = None
        return torch.stack(losses).sum()

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor, None]:
        """Log-probabilities and entropies [B, T] of the rollouts whose loss is being computed."""
        assert self._now is not None, "TRL asks while it computes a loss"
        return *self._now, None


def rows_by_size(groups: Sequence[int]) -> list[tuple[float, Tensor | slice]]:
    """Rollouts put together by the size of their group, and the share of all groups that have this size.

    The mean over such rollouts is the mean over their groups, because all of these are equally large.

        >>> rows_by_size([2, 1, 2])
        [(0.333…, tensor([2])), (0.666…, tensor([0, 1, 3, 4]))]
    """
    sizes = torch.tensor(groups)
    if len(set(groups)) == 1:
        return [(1.0, slice(None))]
    of_row = sizes.repeat_interleave(sizes)
    return [
        (groups.count(size) / len(groups), (of_row == size).nonzero().squeeze(1))
        for size in sorted(set(groups))
    ]


def _rows(value: Any, rows: Tensor | slice) -> Any:
    """Some rows of an input that has one a rollout."""
    return value[rows] if isinstance(value, Tensor) and value.ndim else value


def frozen_copy(network: Any) -> Any:
    """A reference: a copy that is never trained."""
    reference = copy.deepcopy(network).eval()
    reference.requires_grad_(False)
    return reference


@torch.no_grad()
def move_towards(reference: Any, network: Any, share: float) -> None:
    """Move a reference a share of the way to the policy, weight by weight (TRL's `sync_ref_model`)."""
    for own, other in zip(reference.parameters(), network.parameters(), strict=True):
        own.lerp_(other.to(own.dtype), share)
