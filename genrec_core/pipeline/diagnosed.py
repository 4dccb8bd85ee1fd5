"""Diagnosed runs: a run's identifiers, items and embeddings, put before the doctor.

The embeddings are those of the tokenizer's own encoder, as its `embed` stage left them. Every run's report
holds a diagnosis; what takes longer than counting is left out of it for catalogues above `FULL_LIMIT`, and
`genrec doctor RUN` looks at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import Reconstruction, Tokenizer
from genrec_core.identifiers.diagnosis.diagnosis import Depth, Diagnosis, IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.neighbours import SAMPLED_QUERIES
from genrec_core.pipeline.artifacts import ArtifactReader
from genrec_core.pipeline.graph import EVALUATE
from genrec_core.pipeline.run_reader import RunReader
from genrec_core.pipeline.runner import Done
from genrec_core.pipeline.stages.data import EmbedStage, distinct_encoders, encoder_key, stored_embedder
from genrec_core.pipeline.wiring import TOKENIZE
from genrec_core.store.content import fingerprint
from genrec_core.store.store import Store

FULL_LIMIT = 20_000
"""Largest catalogue that is examined in full for the report of a run, in a few seconds."""

EmbeddingFolders = Callable[[], dict[str, Path]]
"""Key of an encoder → the artefact with its embeddings; looked up when embeddings are wanted."""


def inputs_of(run: RunReader) -> IdentifierInputs:
    """What the doctor examines of a finished run; embeddings are read from the store when they are wanted."""

    def folders() -> dict[str, Path]:
        stages = [stage for stage in run.plan["stages"] if stage["kind"] == "embed"]
        return {
            fingerprint(stage["ingredients"]["components"]["encoder"]): run.artefact(stage["name"])
            for stage in stages
        }

    own = not run.pipeline.wiring.learns_identifiers
    catalogue = run.catalogue
    return _inputs(catalogue.items, catalogue.identifiers, run.pipeline.spec.tokenizer, own, folders)


def diagnosed(done: Done, store: Store, artifacts: ArtifactReader) -> Diagnosis:
    """The diagnosis for the report of a run that has just ended."""

    def artefact(stage: str) -> Path:
        return store.folder(stage, done.plan.entry(stage).key)

    def folders() -> dict[str, Path]:
        stages = [entry.stage for entry in done.plan.entries]
        found = {
            encoder_key(one.encoder): artefact(one.name) for one in stages if isinstance(one, EmbedStage)
        }
        return {key: folder for key, folder in found.items() if folder.exists()}

    role = done.plan.entry(EVALUATE).stage.inputs
    tokenizer = done.plan.entry(TOKENIZE).stage.components()["tokenizer"]
    assert isinstance(tokenizer, Tokenizer)
    items = artifacts.prepared(artefact(role["data"])).items
    identifiers = artifacts.identifiers(artefact(role["identifiers"]))
    inputs = _inputs(items, identifiers, tokenizer, not role["identifiers"].startswith("train."), folders)
    queries = min(SAMPLED_QUERIES, len(items)) or None
    return examine(inputs, Depth(full=len(items) <= FULL_LIMIT, queries=queries))


def _inputs(
    items: Items, identifiers: Identifiers, tokenizer: Tokenizer, own: bool, folders: EmbeddingFolders
) -> IdentifierInputs:
    """What the doctor examines; `own` says that the tokenizer, no trainer after it, made the identifiers."""
    encoder = next(iter(distinct_encoders([tokenizer]).values()), None)

    def context() -> Context:
        return Context(embedder=stored_embedder(folders()))

    def vectors() -> NDArray[np.float32]:
        assert encoder is not None
        return context().embed(encoder, items)

    def reconstruct() -> Reconstruction | None:
        return tokenizer.reconstruct(identifiers, items, context())

    return IdentifierInputs(
        identifiers=identifiers,
        items=items,
        vectors=vectors if encoder else None,
        space=encoder.name if encoder else "",
        reconstruct=reconstruct if own else None,
    )
