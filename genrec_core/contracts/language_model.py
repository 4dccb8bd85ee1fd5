"""Language model: what the pipeline and the contracts know of one.

They keep it in a folder, hand it on, and ask its text tokenizer; nothing else. The engine's `Model` is the
implementation:

    model.save(folder)
    model.tokenise(["Red tent"])      # [[312, 88]]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol


class LanguageModel(Protocol):
    """A network together with its text tokenizer (None where it reads identifiers' tokens themselves)."""

    network: Any
    text_tokenizer: Any
    family: Literal["causal", "seq2seq"]

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text on its own, nothing added."""

    def save(self, folder: Path) -> None:
        """Write everything needed to load it again, as safetensors and JSON."""
