"""`train.<step>`: a trainer makes the model, and perhaps the identifiers, better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import orjson

from genrec_core.contracts.component import Component
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.model import Backbone
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.identifiers.spelling import meet_vocabulary
from genrec_core.identifiers.storage import save_identifiers
from genrec_core.pipeline.artifacts import CURVES, IDENTIFIERS, MODEL
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class TrainStage(Stage):
    """Trains the model of one slot. Test rows are not among what it reads."""

    kind: ClassVar[str] = "train"

    trainer: Trainer
    backbone: Backbone

    def components(self) -> Mapping[str, Component]:
        """The trainer; the backbone is in the fingerprint of the model that is read."""
        return {self.name: self.trainer}

    def run(self, work: StageContext) -> None:
        """Load, train, keep the model, its curves, and new identifiers where the trainer learns them."""
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        views = work.artifacts.prepared(work.inputs["data"]).views
        model = self.backbone.load(work.inputs["model"] / MODEL)
        trained = self.trainer.train(model, catalogue, Training(views.train, views.valid), work.context)
        self._check(trained, len(catalogue.items))
        trained.model.save(work.folder / MODEL)
        if self.trainer.learns_identifiers:
            new = replace(catalogue, identifiers=trained.identifiers or catalogue.identifiers)
            identifiers = meet_vocabulary(new, trained.model, self.backbone.options.max_merged)
            (work.folder / IDENTIFIERS).mkdir()
            save_identifiers(identifiers, work.folder / IDENTIFIERS)
        (work.folder / CURVES).write_bytes(orjson.dumps(trained.curves, option=orjson.OPT_SERIALIZE_NUMPY))

    def _check(self, trained: Trained, items: int) -> None:
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
