"""core/tiny-causal: a small Qwen3-architecture model made from nothing but the catalogue and a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.engine.models.backbone import ExtendedBackbone

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class TinyCausal(ExtendedBackbone):
    """A small causal model with a byte-level BPE text tokenizer trained on the pipeline's own texts."""

    class Options(ExtendedBackbone.Options):
        """Shape and first weights."""

        hidden: int = Field(128, gt=0)
        """Width of the network; a multiple of `heads`."""
        layers: int = Field(4, gt=0)
        """Number of blocks."""
        heads: int = Field(4, gt=0)
        """Attention heads in each block."""
        intermediate: int = Field(256, gt=0)
        """Width inside the feed-forward part of a block."""
        vocabulary: int = Field(2000, ge=258)
        """Most entries of the text tokenizer, before the identifiers' tokens are added."""
        tie: bool = True
        """Whether the output matrix is the embedding matrix."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of attention weights, embeddings and block outputs that training drops."""
        attention_dropout: float | None = Field(None, ge=0, lt=1)
        """That of the attention weights, where it differs; on a CPU 0 makes training a third faster."""
        context: int = Field(512, gt=1)
        """Most tokens a sample may take."""

    options: Options

    def start(self, catalogue: Catalogue, context: Context) -> Model:
        """A fresh network and a text tokenizer trained on the items' texts."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.tiny import Shape, tiny_model

        options = self.options
        shape = Shape(
            hidden=options.hidden,
            layers=options.layers,
            heads=options.heads,
            intermediate=options.intermediate,
            vocabulary=options.vocabulary,
            tie=options.tie,
            dropout=options.dropout,
            attention_dropout=options.attention_dropout,
            context=options.context,
        )
        return tiny_model(
            catalogue.items, shape, seed=context.seed, dtype=options.dtype, device=options.device
        )
