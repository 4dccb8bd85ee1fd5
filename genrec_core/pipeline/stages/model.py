"""`model`: the language model that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.component import Component
from genrec_core.identifiers.spelling import meet_vocabulary
from genrec_core.identifiers.storage import save_identifiers
from genrec_core.pipeline.artifacts import IDENTIFIERS, MAIN, MODELS
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class ModelStage(Stage):
    """Builds a backbone with the identifiers' new tokens in its vocabulary.

    It leaves the identifiers too, as the model can tell them apart; whatever comes later reads those.
    """

    kind: ClassVar[str] = "model"
    version: ClassVar[str] = "2"

    backbone: Backbone

    def components(self) -> Mapping[str, Component]:
        """The backbone."""
        return {self.name: self.backbone}

    def run(self, work: StageContext) -> None:
        """Build and keep the model and the identifiers.

        Raises:
            GenrecError: the model cannot write some identifiers, or tell too many of them apart.
        """
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        model = self.backbone.build(catalogue, work.context)
        model.save(work.folder / MODELS / MAIN)
        identifiers = meet_vocabulary(catalogue, model, self.backbone.options.max_merged)
        if identifiers.merged:
            work.context.log("identifiers", merged=identifiers.merged, items=len(identifiers))
        (work.folder / IDENTIFIERS).mkdir()
        save_identifiers(identifiers, work.folder / IDENTIFIERS)
