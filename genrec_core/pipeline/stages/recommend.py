"""From requests to ranked items: `tune`, `recommend` and `ground`.

tune        options left open are chosen by validation rows
recommend   every evaluation row is answered: user 9 → `<a_3><b_2>`, `<a_3><b_9>`, …
ground      what was written becomes ranked items: user 9 → items 17, 4, …
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import orjson

from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Advance
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.grounder import Grounder, GrounderSession
from genrec_core.contracts.recommender import Recommender, RecommenderSession
from genrec_core.contracts.views import Request, View
from genrec_core.evaluation.candidates_file import read_candidates, write_candidates
from genrec_core.evaluation.rankings import Rankings, depth_needed
from genrec_core.pipeline.artifacts import CANDIDATES, RANKINGS, TUNED, ModelAt
from genrec_core.pipeline.stages.data import domains_of
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class RecommendStage(Stage):
    """Generates candidates for the test rows, and for the validation rows where they are evaluated."""

    kind: ClassVar[str] = "recommend"

    recommender: Recommender
    prompts: Mapping[str, Corpus]
    """Slot → corpus that writes the prompts of its model."""
    models: Mapping[str, ModelAt]
    """Slot → where its model is; the artefact is the input `model.<slot>`."""
    views: tuple[str, ...]
    filter_viewed: bool = False
    """Whether items that users have seen are asked for at all; the evaluation takes them out in any case."""
    rules: Grounder | None = None
    """A grounder that never gives some items (`Grounder.allowed`): they are not searched for."""

    def components(self) -> Mapping[str, Component]:
        """The recommender, the corpora that write its prompts, and the grounder whose rules restrict it."""
        named = {f"prompt.{slot}": corpus for slot, corpus in self.prompts.items()}
        return {"recommend": self.recommender, **named, **({"rules": self.rules} if self.rules else {})}

    def settings(self) -> Mapping[str, Any]:
        """The views that are answered, which models of the artefacts are read, and what is not asked for."""
        return {
            "views": list(self.views),
            "models": {slot: at.name for slot, at in self.models.items()},
            "filter_viewed": self.filter_viewed,
        }

    def run(self, work: StageContext) -> None:
        """Load the models, answer every request in order, and keep what was written."""
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        models = {slot: at.load(work.inputs[f"model.{slot}"]) for slot, at in self.models.items()}
        views = work.artifacts.prepared(work.inputs["data"]).views
        recommender = decided(self.recommender, work.inputs.get("tuned"))
        with recommender.open(models, catalogue, self.prompts, work.context) as session:
            for name in self.views:
                self._answer(session, getattr(views, name), work, catalogue)

    def _answer(
        self, session: RecommenderSession, view: View, work: StageContext, catalogue: Catalogue
    ) -> None:
        domains = domains_of(work.inputs)
        requests = list(view.requests(exclude_viewed=self.filter_viewed, domains=domains))
        if self.rules is not None and (allowed := self.rules.allowed(catalogue)) is not None:
            requests = [one.within(allowed) for one in requests]
        tokens = Counter[str]()
        answers = _counted(session.recommend(requests), tokens)
        count = write_candidates(work.folder / CANDIDATES.format(view=view.name), answers)
        if count != len(requests):
            counts = f"{count:,} answers to {len(requests):,} requests"
            raise ContractError(f"recommender `{self.recommender.name}` gave {counts}")
        work.context.log("recommended", view=view.name, requests=count, tokens=tokens.total(), **tokens)


@dataclass(frozen=True, kw_only=True)
class TuneStage(RecommendStage):
    """Lets the recommender choose the options that the pipeline leaves open; test rows are not read."""

    kind: ClassVar[str] = "tune"

    views: tuple[str, ...] = ()

    def run(self, work: StageContext) -> None:
        """Choose and keep what was chosen."""
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        models = {slot: at.load(work.inputs[f"model.{slot}"]) for slot, at in self.models.items()}
        view = work.artifacts.prepared(work.inputs["data"]).views.valid
        valid = list(view.asked(exclude_viewed=self.filter_viewed, domains=domains_of(work.inputs)))
        chosen = self.recommender.tune(models, catalogue, self.prompts, valid, work.context)
        (work.folder / TUNED).write_bytes(orjson.dumps(chosen))


def decided(recommender: Recommender, tuned: Path | None) -> Recommender:
    """A recommender with the options that a `tune` stage chose, where there was one."""
    if tuned is None:
        return recommender
    return recommender.with_options(**orjson.loads((tuned / TUNED).read_bytes()))


def _counted(answers: Iterator[Candidates], tokens: Counter[str]) -> Iterator[Candidates]:
    """The answers unchanged, their tokens added up by phase; `cut` counts thoughts, not tokens."""
    for answer in answers:
        tokens.update({f"{phase}_tokens": count for phase, count in answer.phases.items() if phase != "cut"})
        yield answer


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
        views, domains = work.artifacts.prepared(work.inputs["data"]).views, domains_of(work.inputs)
        with self.grounder.open(catalogue, work.context) as session:
            for name in self.views:
                view = getattr(views, name)
                width = depth_needed(self.depth, view.rows, filter_viewed=self.filter_viewed)
                written = read_candidates(work.inputs["candidates"] / CANDIDATES.format(view=name))
                with work.context.progress(f"grounding {name}", len(view)) as advance:
                    ranked = _ranked(session, written, advance)
                    if domains is not None:
                        ranked = within_request(ranked, view.requests(domains=domains))
                    rankings = Rankings.of(ranked, width)
                rankings.save(work.folder / RANKINGS.format(view=name))


def within_request(rankings: Iterator[Ranked], requests: Iterator[Request]) -> Iterator[Ranked]:
    """The rankings without items that their requests do not allow, whoever gave them."""
    for ranked, request in zip(rankings, requests, strict=True):
        yield ranked.where(request.allows(ranked.items))


def _ranked(session: GrounderSession, written: Iterator[Candidates], advance: Advance) -> Iterator[Ranked]:
    for answer in written:
        yield session.ground(answer)
        advance(1)
