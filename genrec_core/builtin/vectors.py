"""core/vectors: embeddings that exist already, looked up by item id.

For vectors of images, of audio, of a large text encoder on another machine, of another recommender:

    encoder: {use: core/vectors, path: images.npy, ids: ids.txt}
    encoder: {use: core/vectors, path: clip.safetensors, ids: data/items.jsonl}
    encoder: {use: core/vectors, path: embeddings.parquet, column: text_embedding}

Every item needs a row; rows of other items are left alone. `genrec items add` looks the new items' ids up in
the same file, so append their rows to it first; those of old items are not read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder, State
from genrec_core.contracts.items import Items
from genrec_core.data.vector_file import ENDINGS, read_vectors


class Vectors(Encoder):
    """Looks up the vector of each item in a file."""

    seeded: ClassVar[bool] = False

    class Options(Encoder.Options):
        """Which file, and where in it."""

        path: Path
        """A `.npy`, `.safetensors` or `.parquet` file with a row an item."""
        ids: Path | None = None
        """The ids of the rows, for `.npy` and `.safetensors`: a text file with a line an id, or JSON lines
        with `item_id`, in the order of the rows."""
        column: str = ""
        """The Parquet column, or the tensor of a safetensors file, that holds the vectors; by default the
        only one."""
        id_column: str = "item_id"
        """The Parquet column that holds the ids."""
        normalise: bool = False
        """Whether vectors get length one."""

        @field_validator("path")
        @classmethod
        def _known(cls, path: Path) -> Path:
            if path.suffix not in ENDINGS:
                raise ValueError(f"must end in one of {', '.join(ENDINGS)}")
            return path

        @field_validator("fields")
        @classmethod
        def _no_text(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
            if fields:
                raise ValueError("no text is read: vectors are looked up by id")
            return fields

    options: Options

    def needed_modules(self) -> tuple[str, ...]:
        """That which reads Parquet, for a `.parquet` file."""
        return ("pyarrow",) if self.options.path.suffix == ".parquet" else ()

    def inputs(self) -> tuple[Path, ...]:
        """The matrix and its ids."""
        options = self.options
        return (options.path, options.ids) if options.ids else (options.path,)

    def texts(self, items: Items) -> list[str]:
        """The items' ids: they are what is looked up."""
        return list(items.ids)

    def encode(self, texts: Sequence[str], state: State, context: Context) -> NDArray[np.float32]:
        """The vectors of these ids, float32 [len(texts), d].

        Raises:
            DataError: the file cannot be used, or lacks some of them.
        """
        options = self.options
        file = read_vectors(options.path, options.ids, options.column, options.id_column)
        vectors = file.of(tuple(texts))
        context.log("vectors", items=len(vectors), width=vectors.shape[1], in_file=len(file.ids))
        if options.normalise:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors
