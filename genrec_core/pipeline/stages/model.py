"""`model`: the language model that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.model import Backbone
from genrec_core.pipeline.artifacts import MODEL
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class ModelStage(Stage):
    """Builds a backbone with the identifiers' new tokens in its vocabulary."""

    kind: ClassVar[str] = "model"

    backbone: Backbone

    def components(self) -> Mapping[str, Component]:
        """The backbone."""
        return {self.name: self.backbone}

    def run(self, work: StageContext) -> None:
        """Build and keep the model."""
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        model = self.backbone.build(catalogue, work.context)
        model.save(work.folder / MODEL)
