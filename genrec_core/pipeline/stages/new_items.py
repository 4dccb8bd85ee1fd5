"""Stages that add items to a finished run: its catalogue, embeddings and identifiers, each made longer.

Each reads the artefact that the run has under the same name and leaves one that holds what that held,
unchanged and in its place, and the new items behind it. What was learnt (by the encoder, by the tokenizer,
by the model) is not learnt again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Embedded
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import Tokenizer
from genrec_core.data.new_items import appended
from genrec_core.data.prepared import save_prepared
from genrec_core.identifiers.new_items import extended
from genrec_core.identifiers.spelling import meet_vocabulary
from genrec_core.identifiers.storage import save_identifiers
from genrec_core.pipeline.artifacts import EMBEDDINGS, ENCODER, IDENTIFIERS, MAIN, MODELS, ModelAt
from genrec_core.pipeline.stages.data import embedded
from genrec_core.pipeline.stages.stage import Stage, StageContext
from genrec_core.store.content import fingerprint, load_arrays, save_arrays


@dataclass(frozen=True, kw_only=True)
class NewItemsStage(Stage):
    """Appends items to the catalogue. Views stay: nobody has chosen the new items yet."""

    kind: ClassVar[str] = "new-items"

    items: Items

    def components(self) -> Mapping[str, Component]:
        """None."""
        return {}

    def settings(self) -> Mapping[str, Any]:
        """The new items, as a hash."""
        return {"items": fingerprint([self.items.ids, dict(self.items.fields)])}

    def run(self, work: StageContext) -> None:
        """Append and keep."""
        prepared = work.artifacts.prepared(work.inputs["data"])
        save_prepared(replace(prepared, items=appended(prepared.items, self.items)), work.folder)


@dataclass(frozen=True, kw_only=True)
class EmbedNewStage(Stage):
    """Embeds the new items by what the encoder learnt when the run was made."""

    kind: ClassVar[str] = "embed"
    version: ClassVar[str] = "new-1"

    encoder: Encoder

    def components(self) -> Mapping[str, Component]:
        """The encoder."""
        return {"encoder": self.encoder}

    def run(self, work: StageContext) -> None:
        """Encode the new items and keep all vectors.

        Raises:
            ContractError: the encoder gave another shape, type or numbers than an encoder may.
        """
        state, about = load_arrays(work.inputs["embeddings"] / ENCODER)
        old = load_arrays(work.inputs["embeddings"] / EMBEDDINGS)[0]["embeddings"]
        items = work.artifacts.prepared(work.inputs["data"]).items
        texts = self.encoder.texts(items.subset(range(len(old), len(items))))
        new = embedded(self.encoder, texts, state, work.context)
        found = Embedded(np.concatenate([old, new.vectors]), state)
        save_arrays(
            work.folder / EMBEDDINGS,
            {"embeddings": found.vectors},
            {"texts": fingerprint(self.encoder.texts(items))},
        )
        save_arrays(work.folder / ENCODER, state, about)


@dataclass(frozen=True, kw_only=True)
class ExtendStage(Stage):
    """Names the new items; old identifiers stay, or it is an error."""

    kind: ClassVar[str] = "extend"
    version: ClassVar[str] = "2"

    tokenizer: Tokenizer
    models: Mapping[str, ModelAt]
    """Slot of the recommender → where its model is; the artefact is the input `model.<slot>`."""

    def components(self) -> Mapping[str, Component]:
        """The tokenizer."""
        return {"tokenizer": self.tokenizer}

    def run(self, work: StageContext) -> None:
        """Extend and keep the identifiers.

        Raises:
            GenrecError: the tokenizer cannot name these items, or the model cannot tell them apart.
            ContractError: an old identifier moved, or the model could not write a new one.
        """
        old = work.artifacts.identifiers(work.inputs["identifiers"])
        items = work.artifacts.prepared(work.inputs["data"]).items
        grown = extended(self.tokenizer, old, items.subset(range(len(old), len(items))), work.context)
        for slot, at in self.models.items():
            model = at.load(work.inputs[f"model.{slot}"])
            grown = meet_vocabulary(Catalogue(items, grown), model, at.backbone.options.max_merged)
        (work.folder / IDENTIFIERS).mkdir()
        save_identifiers(grown, work.folder / IDENTIFIERS)
        if self.tokenizer.slot:  # this artefact takes the place of the one that held the tokenizer's model
            work.context.models[self.tokenizer.slot].save(work.folder / MODELS / MAIN)
