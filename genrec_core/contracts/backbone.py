"""Backbone: makes the language model that training starts from, and reads it back.

class Small(Backbone):
    def build(self, catalogue, context):
        return new_model(vocabulary=catalogue.identifiers.new_tokens, seed=context.seed)

    def load(self, folder):
        return load_model(folder)
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import Options


@dataclass(frozen=True)
class ModelSize:
    """How large a model is, as far as that can be told before it is loaded.

    Attributes:
        shapes: of every weight, one that is shared once.
        vocabulary: rows of the matrices of tokens.
        bytes_each: of a weight in memory.
    """

    shapes: tuple[tuple[int, ...], ...]
    vocabulary: int
    bytes_each: int

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return sum(map(math.prod, self.shapes))

    @property
    def token_weights(self) -> int:
        """How many of them stand in matrices of tokens."""
        return sum(math.prod(shape) for shape in self.shapes if shape[:1] == (self.vocabulary,))


class Backbone(Component):
    """Makes the language model that training starts from."""

    kind: ClassVar[str] = "backbone"

    class Options(Options):
        """Options of every backbone."""

        max_merged: float = Field(0.01, ge=0, le=1)
        """Largest share of the items whose identifier may become another item's because the text tokenizer
        reads both alike (case, width, the place of the separator). They then share one identifier."""

    options: Options

    def needs_codes(self) -> bool:
        """Whether it needs identifiers made of tokens of their own (`Tokenizer.writes_codes`)."""
        return False

    def size(self) -> ModelSize | None:
        """The size of the model, without loading it; None where it cannot be told."""
        return None

    @abstractmethod
    def build(self, catalogue: Catalogue, context: Context) -> LanguageModel:
        """A model whose vocabulary contains the identifiers' new tokens as single tokens."""

    @abstractmethod
    def load(self, folder: Path) -> LanguageModel:
        """Read back what `LanguageModel.save` wrote, before or after training."""
