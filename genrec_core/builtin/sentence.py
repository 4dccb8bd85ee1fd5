"""core/sentence: any sentence encoder of Hugging Face format, from a folder or the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.options import operational
from genrec_core.engine.models.model import Precision
from genrec_core.engine.models.pretrained import is_folder
from genrec_core.engine.models.sentence import Pooling, SentenceEncoder


class Sentence(Encoder):
    """Embeds texts with a pretrained encoder."""

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
        max_length: int = Field(256, gt=1)
        """Tokens of a text that are read; the rest is not."""
        dtype: Precision = "float32"
        """Precision of the weights; bfloat16 is slower on most CPUs."""
        batch_size: int = operational(64, "Texts of a batch.")
        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The local folder, so that another checkpoint there is noticed."""
        return (Path(self.options.path).expanduser(),) if is_folder(self.options.path) else ()

    def encode(self, texts: Sequence[str], context: Context) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), width of the model].

        Raises:
            GenrecError: the model cannot be found or read.
        """
        options = self.options
        encoder = SentenceEncoder.loaded(options.path, options.revision, options.dtype, options.device)
        written = [options.prefix + text for text in texts]
        vectors = encoder.embed(written, options.pooling, options.max_length, options.batch_size, context)
        if options.normalise:
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
        return vectors
