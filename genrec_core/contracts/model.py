"""Backbone and the language model it gives.

Contracts know a model only by what the pipeline does with it: keep it in a folder and hand it on. The
engine's `Model` is the implementation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import Field

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.options import Options


class LanguageModel(Protocol):
    """A network together with its text tokenizer (None where it reads identifiers' tokens themselves)."""

    network: Any
    text_tokenizer: Any
    family: Literal["causal", "seq2seq"]

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text on its own, nothing added."""

    def save(self, folder: Path) -> None:
        """Write everything needed to load it again, as safetensors and JSON."""


class Backbone(Component):
    """Makes the language model that training starts from."""

    kind: ClassVar[str] = "backbone"

    class Options(Options):
        """Options of every backbone."""

        max_merged: float = Field(0.01, ge=0, le=1)
        """Largest share of the items whose identifier may become another item's because the text tokenizer
        reads both alike (case, width, the place of the separator). They then share one identifier."""

    options: Options

    @abstractmethod
    def build(self, catalogue: Catalogue, context: Context) -> LanguageModel:
        """A model whose vocabulary contains the identifiers' new tokens as single tokens."""

    @abstractmethod
    def load(self, folder: Path) -> LanguageModel:
        """Read back what `LanguageModel.save` wrote, before or after training."""
