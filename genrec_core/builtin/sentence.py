"""core/sentence: any sentence encoder of Hugging Face format, run with transformers alone.

`mean` pooling averages the hidden states of the text's own tokens, `cls` takes the first, `last` the last
(for decoder models used as encoders). Of an encoder-decoder model such as Sentence-T5 the encoder is used.
The results equal those of sentence-transformers for models whose steps after the network are pooling, linear
layers and normalising; other steps are refused. The work is in `engine.models.text_encoder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder, State
from genrec_core.contracts.options import expanded, operational
from genrec_core.engine.choices import Pooling, Precision
from genrec_core.engine.models.loading import is_folder, local_place, refuse_no_encoder


class Sentence(Encoder):
    """Embeds texts with a pretrained encoder."""

    version: ClassVar[str] = "2"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    seeded: ClassVar[bool] = False

    class Options(Encoder.Options):
        """Which model, and how its states become one vector."""

        path: str = Field(min_length=1)
        """A local folder, or a name on the hub such as `sentence-transformers/all-MiniLM-L6-v2`."""
        revision: str = "main"
        """Branch, tag or commit on the hub; name a commit to make a run repeatable."""
        pooling: Pooling = "mean"
        """How token states become one vector."""
        normalise: bool = True
        """Whether vectors get length one."""
        prefix: str = ""
        """Written before each text, for models trained with one (`query: `)."""
        max_length: int | None = Field(None, gt=1, le=10_000_000)
        """Tokens of a text that are read; the rest is not. By default 256, or what the model can read."""
        dtype: Precision = "float32"
        """Precision of the weights; bfloat16 is slower on most CPUs."""
        batch_size: int = operational(64, "Texts of a batch.", ge=1, le=100_000)
        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The local folder, so that another checkpoint there is noticed."""
        return local_place(self.options.path)

    def refuse_unusable(self) -> None:
        """A local folder is a sentence encoder that reads as much as is asked for."""
        if is_folder(self.options.path):
            refuse_no_encoder(expanded(self.options.path), self.options.max_length)

    def encode(self, texts: Sequence[str], state: State, context: Context) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), width of the model].

        Raises:
            GenrecError: the model cannot be found or read, or `max_length` is more than it can read.
        """
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.text_encoder import TextEncoder, load_dense, load_network

        options = self.options
        network, text_tokenizer = load_network(options.path, options.revision, options.dtype, options.device)
        dense = load_dense(options.path, options.revision, options.device)
        encoder = TextEncoder(
            network, text_tokenizer, options.pooling, options.normalise, options.max_length, dense
        )
        prefixed = [options.prefix + text for text in texts]
        with context.progress("embedding", total=len(texts)) as advance:
            return encoder.encode(prefixed, options.batch_size, advance)
