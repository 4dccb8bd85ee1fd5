"""`ground`: what was written becomes ranked items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Advance
from genrec_core.contracts.grounder import Grounder, GrounderSession
from genrec_core.evaluation.candidates_file import read_candidates
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.viewed import depth_needed
from genrec_core.pipeline.artifacts import CANDIDATES, RANKINGS
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class GroundStage(Stage):
    """Grounds candidates as a stream; the artefact holds one table of rankings a view."""

    kind: ClassVar[str] = "ground"

    grounder: Grounder
    views: tuple[str, ...]
    depth: int
    """How many items of each ranking are evaluated."""
    filter_viewed: bool

    def components(self) -> Mapping[str, Component]:
        """The grounder."""
        return {"ground": self.grounder}

    def settings(self) -> Mapping[str, Any]:
        """The views, and how much of each ranking is kept."""
        return {"views": list(self.views), "depth": self.depth, "filter_viewed": self.filter_viewed}

    def run(self, work: StageContext) -> None:
        """Ground and keep."""
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        views = work.artifacts.prepared(work.inputs["data"]).views
        with self.grounder.open(catalogue, work.context) as session:
            for name in self.views:
                view = getattr(views, name)
                width = depth_needed(self.depth, view.rows, filter_viewed=self.filter_viewed)
                written = read_candidates(work.inputs["candidates"] / CANDIDATES.format(view=name))
                with work.context.progress(f"grounding {name}", len(view)) as advance:
                    rankings = Rankings.of(_ranked(session, written, advance), width)
                rankings.save(work.folder / RANKINGS.format(view=name))


def _ranked(session: GrounderSession, written: Iterator[Candidates], advance: Advance) -> Iterator[Ranked]:
    for answer in written:
        yield session.ground(answer)
        advance(1)
