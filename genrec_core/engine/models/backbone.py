"""What every backbone of ours shares: load the start, add the identifiers' tokens, read a folder back.

Backbones and their options can be read without torch; it is imported by the methods that need a network.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.options import operational
from genrec_core.engine.choices import Initialisation, Precision

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class ExtendedBackbone(Backbone):
    """A backbone that only has to say where its model starts from."""

    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")

    class Options(Backbone.Options):
        """How the vocabulary grows and where the weights live."""

        initialisation: Initialisation = "random"
        """How the rows of the identifiers' tokens start: `random`, the `mean` row, the rows of the token's
        `spelling`, those of the texts of the `items` that carry it, or the `vectors` that the tokenizer
        gives its tokens, such as entries of codebooks."""
        round_to: int = Field(1, gt=0, le=65_536)
        """Round the number of vocabulary rows up to a multiple of this."""
        dtype: Precision = "float32"
        """Precision of the weights; bfloat16 is slower on most CPUs."""
        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

    options: Options

    @abstractmethod
    def start(self, catalogue: Catalogue, context: Context) -> Model:
        """The model before it knows the identifiers."""

    def build(self, catalogue: Catalogue, context: Context) -> Model:
        """A model whose vocabulary contains the identifiers' new tokens as single tokens."""
        from genrec_core.engine.models.vocabulary import extend

        model = self.start(catalogue, context)
        extend(
            model,
            catalogue,
            initialisation=self.options.initialisation,
            seed=context.seed,
            multiple=self.options.round_to,
        )
        return model

    def load(self, folder: Path) -> Model:
        """Read back what `Model.save` wrote, before or after training."""
        from genrec_core.engine.models.model import load_model

        return load_model(folder, self.options.dtype, self.options.device)
