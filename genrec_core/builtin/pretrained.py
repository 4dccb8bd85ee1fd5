"""core/pretrained and core/gguf: trained language models, in Hugging Face format or in that of llama.cpp.

model: {use: core/pretrained, path: Qwen/Qwen3-0.6B, initialisation: mean}
model: {use: core/gguf, path: models/small-q8.gguf}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from genrec_core.contracts.backbone import ModelSize
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.options import expanded
from genrec_core.engine.choices import ChatUse
from genrec_core.engine.models.backbone import ExtendedBackbone
from genrec_core.engine.models.loading import is_folder, local_place, refuse_undecodable, stored_size

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model
if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class Pretrained(ExtendedBackbone):
    """A model from a local folder or the hub, its vocabulary extended by the identifiers' tokens."""

    class Options(ExtendedBackbone.Options):
        """Which model, and how it is prompted."""

        path: str = Field(min_length=1)
        """A local folder, or a name on the hub such as `Qwen/Qwen3-0.6B`."""
        revision: str = "main"
        """Branch, tag or commit on the hub; name a commit to make a run repeatable."""
        chat: ChatUse = "auto"
        """Whether prompts go through the chat template; `auto`: when there is one."""
        max_length: int | None = Field(None, gt=1, le=10_000_000)
        """Most tokens a sample may take; by default 1024, or fewer if the model cannot read so many."""

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The local folder, so that another checkpoint there is noticed."""
        return local_place(self.options.path)

    def refuse_unusable(self) -> None:
        """A local checkpoint is of a kind that can be trained and decoded."""
        if is_folder(self.options.path):
            refuse_undecodable(expanded(self.options.path))

    def size(self) -> ModelSize | None:
        """By the heads of a local folder's safetensors files; unknown for a model on the hub."""
        each = 2 if self.options.dtype == "bfloat16" else 4
        return stored_size(expanded(self.options.path), each) if is_folder(self.options.path) else None

    def start(self, catalogue: Catalogue, context: Context) -> Model:
        """The checkpoint as it is."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.pretrained import pretrained_model

        options = self.options
        model = pretrained_model(
            str(expanded(options.path)) if is_folder(options.path) else options.path,
            dtype=options.dtype,
            device=options.device,
            chat=options.chat,
            revision=options.revision,
        )
        model.max_length = options.max_length or model.max_length
        return model


class Gguf(ExtendedBackbone):
    """A model from a `.gguf` file, dequantised once and kept as safetensors."""

    needs = ("torch", "transformers", "gguf")

    class Options(ExtendedBackbone.Options):
        """Which file, and how the model is prompted."""

        path: Path
        """The `.gguf` file."""
        chat: ChatUse = "auto"
        """Whether prompts go through the chat template; `auto`: when there is one."""
        max_length: int | None = Field(None, gt=1, le=10_000_000)
        """Most tokens a sample may take; by default 1024, or fewer if the model cannot read so many."""

    options: Options

    def start(self, catalogue: Catalogue, context: Context) -> Model:
        """The file's weights as floats."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.pretrained import gguf_model

        options = self.options
        model = gguf_model(
            expanded(options.path), dtype=options.dtype, device=options.device, chat=options.chat
        )
        model.max_length = options.max_length or model.max_length
        return model
