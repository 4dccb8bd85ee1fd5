"""`data`: a source's data, cut by a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.source import Source
from genrec_core.contracts.split import Split
from genrec_core.data.prepared import prepare, save_prepared
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class DataStage(Stage):
    """Reads, checks and cuts the data; the artefact holds items, views and the protocol."""

    kind: ClassVar[str] = "data"

    source: Source
    split: Split
    max_history: int

    def components(self) -> Mapping[str, Component]:
        """The source and the split."""
        return {"data.source": self.source, "data.split": self.split}

    def settings(self) -> Mapping[str, Any]:
        """The history cut."""
        return {"max_history": self.max_history}

    def run(self, work: StageContext) -> None:
        """Prepare the data and keep it."""
        prepared = prepare(self.source, self.split, self.max_history, work.context)
        views = prepared.views
        work.context.log(
            "data",
            items=len(prepared.items),
            train=len(views.train.users),
            valid=len(views.valid),
            test=len(views.test),
            notes=list(prepared.notes),
        )
        save_prepared(prepared, work.folder)
