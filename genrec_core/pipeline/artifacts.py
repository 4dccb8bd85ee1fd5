"""Artefacts read back from their folders, each once in a run.

Stages hand on nothing in memory: each reads what the stage before wrote. So a run that was resumed sees
exactly what one that was not saw. The reader keeps the two things that nearly every stage reads.
"""

from __future__ import annotations

from pathlib import Path

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.data.prepared import Prepared, load_prepared
from genrec_core.evaluation.slices import popularity_of
from genrec_core.identifiers.storage import load_identifiers

IDENTIFIERS = "identifiers"
MODEL = "model"
CURVES = "curves.json"
CANDIDATES = "{view}.jsonl.gz"
RANKINGS = "{view}.safetensors"
METRICS = "metrics.json"
EMBEDDINGS = "embeddings.safetensors"
ENCODER = "encoder.safetensors"
"""Names inside artefacts."""


class ArtifactReader:
    """Reads artefacts of one run."""

    def __init__(self) -> None:
        self._prepared: dict[Path, Prepared] = {}
        self._identifiers: dict[Path, Identifiers] = {}

    def prepared(self, folder: Path) -> Prepared:
        """What the `data` stage left."""
        if folder not in self._prepared:
            self._prepared[folder] = load_prepared(folder)
        return self._prepared[folder]

    def identifiers(self, folder: Path) -> Identifiers:
        """The identifiers that `tokenize`, or a training step that learns them, left."""
        if folder not in self._identifiers:
            self._identifiers[folder] = load_identifiers(folder / IDENTIFIERS)
        return self._identifiers[folder]

    def catalogue(self, data: Path, identifiers: Path) -> Catalogue:
        """Items with these identifiers, and how often each occurs in training."""
        prepared = self.prepared(data)
        popularity = popularity_of(prepared.views.train, len(prepared.items))
        return Catalogue(prepared.items, self.identifiers(identifiers), popularity)
