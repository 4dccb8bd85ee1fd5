"""`embed`: item embeddings, computed once for all components that use the same encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.items import Items
from genrec_core.pipeline.shelf import EMBEDDINGS
from genrec_core.pipeline.stages.stage import Stage, Work
from genrec_core.store.arrays import load_arrays, save_arrays
from genrec_core.store.canonical import fingerprint

Embedder = Callable[[Encoder, Items, Context], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class EmbedStage(Stage):
    """Encodes the text of every item; the artefact holds float32 [N, d] and a hash of the texts."""

    kind: ClassVar[str] = "embed"

    encoder: Encoder

    def components(self) -> Mapping[str, Component]:
        """The encoder."""
        return {"encoder": self.encoder}

    def run(self, work: Work) -> None:
        """Encode and keep.

        Raises:
            ContractError: the encoder gave another shape, type or numbers than an encoder may.
        """
        texts = self.encoder.texts(work.shelf.prepared(work.inputs["data"]).items)
        vectors = _checked(self.encoder, self.encoder.encode(texts, work.context), len(texts))
        save_arrays(work.folder / EMBEDDINGS, {"embeddings": vectors}, {"texts": fingerprint(texts)})


def stored_embedder(folders: Mapping[str, Path]) -> Embedder:
    """A `Context.embedder` that takes what an `embed` stage left.

    Args:
        folders: fingerprint of an encoder's identity → the artefact of its stage.

    Items with other texts (a part of the catalogue, or items whose text a tokenizer has rewritten) are
    encoded on the spot.
    """

    def embed(encoder: Encoder, items: Items, context: Context) -> NDArray[np.float32]:
        texts = encoder.texts(items)
        folder = folders.get(encoder_key(encoder))
        if folder is not None:
            arrays, about = load_arrays(folder / EMBEDDINGS)
            if about["texts"] == fingerprint(texts):
                return arrays["embeddings"]
        return _checked(encoder, encoder.encode(texts, context), len(texts))

    return embed


def encoder_key(encoder: Encoder) -> str:
    """What two encoders that give the same vectors have in common."""
    return fingerprint(encoder.identity())


def distinct_encoders(components: Sequence[Component]) -> dict[str, Encoder]:
    """Every encoder nested in these components once, by its key, in order of first use."""
    found: dict[str, Encoder] = {}
    for component in components:
        for _, inner in component.nested():
            if isinstance(inner, Encoder):
                found.setdefault(encoder_key(inner), inner)
    return found


def _checked(encoder: Encoder, vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    if vectors.ndim != 2 or len(vectors) != count or vectors.dtype != np.float32:
        raise ContractError(
            f"encoder `{encoder.name}` gave `{vectors.dtype}{list(vectors.shape)}` for {count:,} texts",
            hint="an encoder gives float32, one row a text",
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise ContractError(
            f"encoder `{encoder.name}` gave numbers that are not finite for {len(bad):,} items, "
            f"first for item `{bad[0]}`"
        )
    return vectors
