"""Settings of fine-tuning: the options of `core/sft` and of every trainer built on it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genrec_core.contracts.backbone import ModelSize
from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.loss import Loss
from genrec_core.contracts.options import Options, operational
from genrec_core.engine.choices import Arithmetic, Scoring
from genrec_core.engine.models.adapters import AdapterSettings

_FLOAT32 = 4


class DenseSettings(Options):
    """A dense head: an output row for every item, trained beside the tokens of identifiers."""

    weight: float = Field(1.0, ge=1e-6, le=1e6)
    """What its loss counts beside the loss of each identifier's first token."""
    negatives: int | None = Field(1024, gt=0)
    """Items drawn for a batch that a target is told from; null takes the whole catalogue."""
    start: Literal["random", "co-occurrence"] = "random"
    """What rows start from: random numbers, or a factorised table of which items stand near each other in
    training (items without neighbours stay random). A model that reads histories by item then reads each item
    as the same vector at first."""


class SFTSettings(Options):
    """How long, how fast and what is trained."""

    epochs: int = Field(10, gt=0)
    """Most epochs; validation may stop earlier."""
    max_steps: int | None = Field(None, gt=0)
    """Most optimiser steps, whatever the epochs say."""
    batch_size: int = Field(64, gt=0)
    """Most samples of a batch."""
    tokens_per_batch: int | None = Field(None, gt=0)
    """Most tokens of a batch, padding included; no bound by default."""
    accumulation: int = Field(1, gt=0)
    """Batches whose gradients make one step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Highest learning rate. For pretrained models something like 2e-5 to 3e-4."""
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    """What the learning rate does after the warm-up."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = Field(0.01, ge=0)
    """Decay of matrices; never of norms and biases."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target's probability that is spread over the others while training."""
    loss: Loss | None = None
    """What a learnt token costs; by default cross-entropy, with `label_smoothing`. Validation measures
    cross-entropy in any case."""
    scoring: Scoring = "full"
    """What the loss normalises over: the whole vocabulary, or with `legal` only the tokens that an identifier
    can go on with. The trained model remembers it, and recommending scores its beams the same way."""
    teacher: Baseline | None = None
    """A baseline whose expectations are soft targets beside the chosen items, summed over the trie of
    identifiers (`scoring: legal` only)."""
    teacher_weight: float = Field(0.5, gt=0, lt=1)
    """What the teacher's soft targets count; the chosen item counts the rest."""
    teacher_items: int = Field(50, gt=0)
    """The best items of the teacher that soft targets are made of."""
    teacher_temperature: float = Field(0.5, gt=0)
    """What the teacher's logits are divided by; smaller values trust its first items more."""
    dense: DenseSettings | None = None
    """A softmax over items, beside the tokens of identifiers and from the same states. `core/beam` ranks what
    it writes by both, `core/dense` ranks every item by this alone."""
    clip: float = Field(1.0, ge=0)
    """Largest norm of the gradient; 0 for no bound."""
    trainable: Literal["all", "new-rows", "adapters"] = "all"
    """`all` weights; only the rows of the identifiers' new tokens (`new-rows`); or these rows and low-rank
    corrections of the linear layers (`adapters`, LoRA), which are merged into the weights at the end."""
    adapters: AdapterSettings = AdapterSettings()
    """Of `trainable: adapters`."""
    max_length: int | None = Field(None, gt=1, le=10_000_000)
    """Most tokens of a sample; by default what the model says. The trained model remembers it."""
    keep: Literal["best", "last"] = "best"
    """Which weights are handed on: the best by validation, or the last."""
    select_by: Literal["loss", "recall@10", "ndcg@10"] = "loss"
    """What of the validation rows is best: the lowest loss, or the highest figure of what a beam search
    recommends for them. Rankings often go on improving long after the loss; they take a search."""
    patience: int | None = Field(3, gt=0)
    """Evaluations without a better one before training stops; null never stops."""
    evaluate_every: int | None = Field(None, gt=0)
    """Steps between two evaluations; by default the end of each epoch."""
    valid_samples: int = Field(4096, gt=0)
    """Most validation samples of an evaluation, evenly chosen."""
    precision: Arithmetic = "float32"
    """Arithmetic of matrix products in training; weights stay float32. bfloat16 is several times faster on
    processors that have it (most GPUs, CPUs with AVX512-BF16 or AMX) and many times slower on others;
    `auto` looks."""
    gradient_checkpointing: bool = operational(
        False,
        "Keep the inputs of each block alone for the backward pass and compute the rest again: less memory, "
        "about a third more time, the same weights.",
    )
    checkpoint_minutes: float = operational(
        5.0, "Minutes between two checkpoints; there is one at each evaluation too.", ge=0
    )

    def memory(self, size: ModelSize) -> int:
        """Bytes for weights, gradients, and Adam's two moments with the copies that it owns.

        Float32 weights take 4 each, their gradient 4, the moments 8. A bfloat16 weight takes 2 and its
        gradient 2, of which a float32 copy is made for the step, where the trained copy and its moments are.
        Of matrices of tokens the gradient is whole even where only new rows are trained.
        """
        held = size.weights * size.bytes_each
        if self.trainable == "all":
            return held + size.weights * (12 if size.bytes_each == _FLOAT32 else 2 + 4 + 12)
        adapted = 0
        if self.trainable == "adapters":
            pairs = [shape for shape in size.shapes if len(shape) == 2 and shape[0] != size.vocabulary]
            adapted = sum(self.adapters.rank * sum(shape) for shape in pairs)
        return held + size.token_weights * size.bytes_each + adapted * 4 * _FLOAT32

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.teacher is not None and self.scoring != "legal":
            raise ValueError("a `teacher` knows items, not the vocabulary: write `scoring: legal` with it")
        # A run's resolved pipeline names every default, and must be opened again.
        if self.adapters != AdapterSettings() and self.trainable != "adapters":
            raise ValueError(f"`adapters` are not trained by `trainable: {self.trainable}`: write `adapters`")
        if self.dense is not None and self.trainable != "all":
            raise ValueError(f"`dense` trains a head whole, not `{self.trainable}`: write `trainable: all`")
        if self.loss is not None and self.label_smoothing:
            raise ValueError(
                "`label_smoothing` is of cross-entropy, and `loss` stands in its place: keep one"
            )
        return self
