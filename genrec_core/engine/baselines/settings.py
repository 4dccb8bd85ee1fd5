"""Settings of SASRec: the options of `core/sasrec`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from genrec_core.contracts.options import Options, operational

SequenceLoss = Literal["sampled-softmax", "softmax", "bce"]

NEGATIVES: dict[SequenceLoss, int] = {"sampled-softmax": 512, "softmax": 0, "bce": 1}
"""Items drawn when `negatives` is null; the paper's one for `bce`."""


class SASRecSettings(Options):
    """Shape of the network, what it learns from, how long and how fast."""

    factors: int = Field(128, gt=0, le=65_536)
    """Width of item embeddings and states; a multiple of `heads`."""
    blocks: int = Field(2, ge=1)
    """Transformer blocks."""
    heads: int = Field(2, ge=1)
    """Attention heads of a block."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Share of embeddings, attention weights and block outputs that training drops."""
    temperature: float | None = Field(0.07, gt=0)
    """Scores are cosines divided by this; null takes plain products, as the paper does."""
    tied: bool = True
    """Whether the items' input embeddings are also what scores are products with; false learns others."""
    start: Literal["random", "co-occurrence"] = "random"
    """What item embeddings start from: random numbers, or a factorised table of which items stand near each
    other in training (items without neighbours stay random). It costs seconds and saves most epochs."""
    history_negatives: bool = False
    """With `sampled-softmax`, each target is also told from the items before it in its own history."""
    length: int | None = Field(None, gt=0)
    """Most items of a history; by default the protocol's `max_history`."""
    loss: SequenceLoss = "sampled-softmax"
    """`softmax` over all items, `sampled-softmax` over some drawn for each batch, or the paper's `bce`."""
    negatives: int | None = Field(None, gt=0)
    """Items drawn: for a whole batch with `sampled-softmax` (default 512), for each target with `bce`
    (default 1)."""
    learning_rate: float = Field(1e-3, gt=0)
    """Step size of AdamW."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's weight decay."""
    batch: int = Field(768, gt=0)
    """Targets of a step, about; a user with n training items has n - 1 targets."""
    epochs: int = Field(100, gt=0)
    """Most passes over the training rows; validation may stop earlier."""
    evaluate_every: int = Field(5, gt=0)
    """Epochs between two looks at the validation rows; the last epoch is looked at in any case."""
    patience: int | None = Field(3, gt=0)
    """Looks without a better figure before training stops; null never stops."""
    select_by: Literal["recall@10", "ndcg@10"] = "recall@10"
    """Which figure of the validation rows chooses the weights; without validation rows the last ones stay."""
    select_unseen: bool = False
    """Whether those figures leave out items that a user already had. Set it where the evaluation filters
    viewed items, and with `bce`, whose drawn items never teach it to rank such items down."""
    device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")
    chunk: int = operational(
        512, "Histories scored at a time; a row of scores is as wide as the catalogue.", ge=1
    )

    @model_validator(mode="after")
    def _fitting_shape(self) -> Self:
        if self.factors % self.heads:
            raise ValueError(f"`factors` ({self.factors}) must be a multiple of `heads` ({self.heads})")
        if self.loss == "softmax" and self.negatives is not None:
            raise ValueError("`softmax` scores every item and draws no `negatives`: remove one of the two")
        if self.history_negatives and self.loss != "sampled-softmax":
            raise ValueError(f"`history_negatives` needs `loss: sampled-softmax`, not `{self.loss}`")
        return self

    @property
    def drawn(self) -> int:
        """Items drawn a batch or target, the loss's usual number when not set."""
        return NEGATIVES[self.loss] if self.negatives is None else self.negatives
