"""Artefacts read back from their folders, each once in a run.

Stages hand on nothing in memory: each reads what the stage before wrote. So a run that was resumed sees
exactly what one that was not saw. The reader keeps the two things that nearly every stage reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.data.prepared import Prepared, load_prepared
from genrec_core.evaluation.slices import popularity_of
from genrec_core.identifiers.storage import load_identifiers

IDENTIFIERS = "identifiers"
MODELS = "models"
MAIN = "main"
CURVES = "curves.json"
CANDIDATES = "{view}.jsonl.gz"
RANKINGS = "{view}.safetensors"
TUNED = "tuned.json"
DOMAIN_ITEMS = "domains.json"
FITTED = "fitted.safetensors"
EMBEDDINGS = "embeddings.safetensors"
ENCODER = "encoder.safetensors"
"""Names inside artefacts."""


@dataclass(frozen=True)
class ModelAt:
    """Where a language model is kept.

    Attributes:
        stage: the stage whose artefact holds it.
        backbone: reads it back.
        name: its name in the artefact; a stage may leave several.
    """

    stage: str
    backbone: Backbone
    name: str = MAIN

    def load(self, artefact: Path) -> LanguageModel:
        """The model, from the folder of the stage's artefact."""
        return self.backbone.load(artefact / MODELS / self.name)


class LoadedWhenAsked(Mapping[str, LanguageModel]):
    """Models by slot, each loaded when it is first asked for.

    Args:
        loaders: slot → function that loads its model.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], LanguageModel]]) -> None:
        self._loaders, self._loaded = dict(loaders), dict[str, LanguageModel]()

    def __getitem__(self, slot: str) -> LanguageModel:
        """The model of a slot.

        Raises:
            ContractError: no component of the stage has named this slot.
        """
        if slot not in self._loaders:
            raise ContractError(
                f"no component of this stage has said that it asks the model in the slot `{slot}`",
                hint="name the slot in the component's `model_slots`",
            )
        if slot not in self._loaded:
            self._loaded[slot] = self._loaders[slot]()
        return self._loaded[slot]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)


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
