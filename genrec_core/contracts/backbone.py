"""Backbone: makes the language model that training starts from, and reads it back.

class Small(Backbone):
    def build(self, catalogue, context):
        return new_model(vocabulary=catalogue.identifiers.new_tokens, seed=context.seed)

    def load(self, folder):
        return load_model(folder)
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import Options


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

    @abstractmethod
    def build(self, catalogue: Catalogue, context: Context) -> LanguageModel:
        """A model whose vocabulary contains the identifiers' new tokens as single tokens."""

    @abstractmethod
    def load(self, folder: Path) -> LanguageModel:
        """Read back what `LanguageModel.save` wrote, before or after training."""
