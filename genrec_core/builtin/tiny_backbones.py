"""core/tiny-causal and core/tiny-seq2seq: small models made from nothing but the catalogue and a seed.

`core/tiny-causal` has the Qwen3 architecture: one stack reads history and identifier in a row. In
`core/tiny-seq2seq`, of the T5 architecture, the encoder reads the history and the decoder writes the
identifier, as in TIGER. It cannot learn inside a history: use corpora with `each: prefix`. T5's output matrix
is always its embedding matrix.

    model: {use: core/tiny-seq2seq, hidden: 128, layers: 4, dropout: 0.1}

With `positions: item` a history takes one position an item instead of one a token
(`engine/models/item_positions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.engine.choices import impossible_heads
from genrec_core.engine.models.backbone import ExtendedBackbone

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Family, Model


class TinyBackbone(ExtendedBackbone):
    """What tiny models share: a byte-level BPE text tokenizer trained on the pipeline's own texts."""

    family: Family

    class Options(ExtendedBackbone.Options):
        """Shape and first weights."""

        hidden: int = Field(128, gt=0, le=65_536)
        """Width of the network; a multiple of `heads`."""
        layers: int = Field(4, gt=0, le=1_024)
        """Number of blocks; an encoder-decoder model has as many in either part."""
        heads: int = Field(4, gt=0, le=1_024)
        """Attention heads in each block."""
        intermediate: int = Field(256, gt=0, le=1_000_000)
        """Width inside the feed-forward part of a block."""
        vocabulary: int = Field(2000, ge=258, le=1_000_000)
        """Most entries of the text tokenizer, before the identifiers' tokens are added."""
        dropout: float = Field(0.0, ge=0, lt=1)
        """Share of attention weights, embeddings and block outputs that training drops."""
        context: int = Field(512, gt=1, le=10_000_000)
        """Most tokens a sample may take."""
        positions: Literal["token", "item"] = "token"
        """What histories are read by: a position for each token, or one for each item (the sum of its codes
        and a row of its own), behind which a small cascade writes the codes of an answer. `item` needs
        identifiers of codes (semantic IDs)."""

        @model_validator(mode="after")
        def _heads_divide_the_width(self) -> Self:
            if wrong := impossible_heads(self.hidden, self.heads):
                raise ValueError(f"{wrong}; choose heads × an even number, such as 128 and 4")
            return self

    options: Options

    def needs_codes(self) -> bool:
        """Histories read by item need identifiers of codes."""
        return self.options.positions == "item"

    def build(self, catalogue: Catalogue, context: Context) -> Model:
        """A model whose vocabulary contains the identifiers' new tokens as single tokens.

        Raises:
            GenrecError: histories shall be read by item and identifiers are no codes.
        """
        model = super().build(catalogue, context)
        if self.options.positions == "item":
            from genrec_core.engine.models.reading_by_item import reading_items

            reading_items(model, catalogue, context.seed)
        return model

    def start(self, catalogue: Catalogue, context: Context) -> Model:
        """A fresh network and a text tokenizer trained on the items' texts."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.tiny import tiny_model

        options = self.options
        return tiny_model(
            catalogue.items,
            self.shape(),
            family=self.family,
            seed=context.seed,
            dtype=options.dtype,
            device=options.device,
        )

    def shape(self, **more: Any) -> Any:
        """The options as the engine's `Shape`."""
        from genrec_core.engine.models.tiny import Shape

        options = self.options
        return Shape(
            hidden=options.hidden,
            layers=options.layers,
            heads=options.heads,
            intermediate=options.intermediate,
            vocabulary=options.vocabulary,
            dropout=options.dropout,
            context=options.context,
            **more,
        )


class TinyCausal(TinyBackbone):
    """A small causal model with a byte-level BPE text tokenizer trained on the pipeline's own texts."""

    family = "causal"

    class Options(TinyBackbone.Options):
        """Shape and first weights."""

        tie: bool = True
        """Whether the output matrix is the embedding matrix."""
        attention_dropout: float | None = Field(None, ge=0, lt=1)
        """That of the attention weights, where it differs; on a CPU 0 makes training a third faster."""

    options: Options

    def shape(self, **more: Any) -> Any:
        """The options as the engine's `Shape`."""
        options = self.options
        return super().shape(tie=options.tie, attention_dropout=options.attention_dropout, **more)


class TinySeq2Seq(TinyBackbone):
    """A small encoder-decoder with a byte-level BPE text tokenizer trained on the pipeline's own texts."""

    family = "seq2seq"
