"""core/gguf: a causal language model from a llama.cpp file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.engine.choices import ChatUse
from genrec_core.engine.models.backbone import ExtendedBackbone

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class Gguf(ExtendedBackbone):
    """A model from a `.gguf` file, dequantised once and kept as safetensors."""

    class Options(ExtendedBackbone.Options):
        """Which file, and how the model is prompted."""

        path: Path
        """The `.gguf` file."""
        chat: ChatUse = "auto"
        """Whether prompts go through the chat template; `auto`: when there is one."""
        max_length: int | None = Field(None, gt=1)
        """Most tokens a sample may take; by default 1024, or fewer if the model cannot read so many."""

    options: Options

    def start(self, catalogue: Catalogue, context: Context) -> Model:
        """The file's weights as floats."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.pretrained import gguf_model

        options = self.options
        model = gguf_model(
            options.path.expanduser(), dtype=options.dtype, device=options.device, chat=options.chat
        )
        model.max_length = options.max_length or model.max_length
        return model
