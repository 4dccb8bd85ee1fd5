"""`baseline.<name>`: a recommender of another kind answers the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.component import Component
from genrec_core.contracts.views import Training
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.viewed import depth_needed
from genrec_core.pipeline.artifacts import RANKINGS
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class BaselineStage(Stage):
    """Fits and ranks; a baseline sees the same views as training does, and requests without targets."""

    kind: ClassVar[str] = "baseline"

    baseline: Baseline
    depth: int
    """How many items of each ranking are judged."""
    filter_viewed: bool

    def components(self) -> Mapping[str, Component]:
        """The baseline."""
        return {"baseline": self.baseline}

    def settings(self) -> Mapping[str, Any]:
        """How much of each ranking is kept."""
        return {"depth": self.depth, "filter_viewed": self.filter_viewed}

    def run(self, work: StageContext) -> None:
        """Rank the test rows and keep the rankings."""
        prepared = work.artifacts.prepared(work.inputs["data"])
        views = prepared.views
        width = depth_needed(self.depth, views.test.rows, filter_viewed=self.filter_viewed)
        ranked = self.baseline.rank(
            prepared.items,
            Training(views.train, views.valid, views.oracle),
            list(views.test.requests()),
            min(width, len(prepared.items)),
            work.context,
        )
        Rankings.of(ranked, width).save(work.folder / RANKINGS.format(view="test"))
