"""`train.<step>`: a trainer makes the model, and perhaps the identifiers, better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import orjson

from genrec_core.contracts.component import Component
from genrec_core.contracts.errors import ContractError, examples
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.identifiers.spelling import meet_vocabulary
from genrec_core.identifiers.storage import save_identifiers
from genrec_core.pipeline.artifacts import CURVES, IDENTIFIERS, MODELS, ModelAt
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class TrainStage(Stage):
    """Trains the models of the trainer's slots. Test rows are not among what it reads."""

    kind: ClassVar[str] = "train"

    trainer: Trainer
    models: Mapping[str, ModelAt]
    """Trainer slot → where its model is; the artefact is the input `model.<slot>`."""

    def components(self) -> Mapping[str, Component]:
        """The trainer; backbones are in the fingerprints of the models that are read."""
        return {self.name: self.trainer}

    def settings(self) -> Mapping[str, Any]:
        """Which models of the artefacts are read."""
        return {"models": {slot: at.name for slot, at in self.models.items()}}

    def run(self, work: StageContext) -> None:
        """Load, train, keep what changed, the curves, and new identifiers where the trainer learns them."""
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        views = work.artifacts.prepared(work.inputs["data"]).views
        models = {slot: at.load(work.inputs[f"model.{slot}"]) for slot, at in self.models.items()}
        trained = self.trainer.train(models, catalogue, Training(views.train, views.valid), work.context)
        self._check(trained, len(catalogue.items))
        for slot, model in trained.models.items():
            model.save(work.folder / MODELS / slot)
        if self.trainer.learns_identifiers:
            new = replace(catalogue, identifiers=trained.identifiers or catalogue.identifiers)
            for slot, model in trained.models.items():
                merged = meet_vocabulary(new, model, self.models[slot].backbone.options.max_merged)
                new = replace(new, identifiers=merged)
            (work.folder / IDENTIFIERS).mkdir()
            save_identifiers(new.identifiers, work.folder / IDENTIFIERS)
        (work.folder / CURVES).write_bytes(orjson.dumps(trained.curves, option=orjson.OPT_SERIALIZE_NUMPY))

    def _check(self, trained: Trained, items: int) -> None:
        if set(trained.models) != set(self.trainer.changed()):
            gave, promised = examples(trained.models) or "none", examples(self.trainer.changed())
            raise ContractError(
                f"trainer `{self.trainer.name}` gave back the models {gave}, not {promised}",
                hint="`Trained.models` has one for each of the class's `changes` (by default its `slots`)",
            )
        new = trained.identifiers
        if new is None:
            return
        if not self.trainer.learns_identifiers:
            raise ContractError(
                f"trainer `{self.trainer.name}` gave new identifiers without having said so",
                hint="set `learns_identifiers = True` on its class",
            )
        if len(new) != items:
            raise ContractError(f"trainer `{self.trainer.name}` named {len(new):,} of {items:,} items")
