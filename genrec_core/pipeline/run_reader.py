"""Opened runs: a finished run's artefacts by name, for looking into it and for recommending with it.

run = open_run(Path("runs/tiny/latest"), registry)
run.catalogue.identifiers.text(3)
with run.open() as session:
    session.recommend([[run.catalogue.items.index_of("a1")]])
"""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import components_in
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.grounder import GrounderSession
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import regular_file
from genrec_core.contracts.recommender import RecommenderSession
from genrec_core.contracts.session import Session
from genrec_core.contracts.views import Request
from genrec_core.data.prepared import Prepared
from genrec_core.evaluation.evaluate import METRICS
from genrec_core.evaluation.metrics_file import read_metrics
from genrec_core.evaluation.report.facts import limit_note
from genrec_core.pipeline.artifacts import ArtifactReader, LoadedWhenAsked
from genrec_core.pipeline.graph import TUNE
from genrec_core.pipeline.load import Pipeline, load_pipeline
from genrec_core.pipeline.places import moved_files, refuse_other_options, refused_moves
from genrec_core.pipeline.run_folder import LATEST, NEW_ITEMS, PIPELINE, PLAN, store_of
from genrec_core.pipeline.stages.baseline import distinct_baselines, stored_fitter
from genrec_core.pipeline.stages.recommend import decided
from genrec_core.pipeline.wiring import slots_asked
from genrec_core.registry.problems import shown
from genrec_core.registry.registry import Registry
from genrec_core.store.content import fingerprint
from genrec_core.store.manifest import damage
from genrec_core.store.references import artefacts_of, note_run
from genrec_core.store.store import Store


@dataclass(frozen=True)
class RunReader:
    """A run that can be looked into; everything is read when it is first asked for.

    Attributes:
        folder: the run folder.
        pipeline: as it was resolved.
        plan: the content of `plan.json`.
        store: where its artefacts are.
    """

    folder: Path
    pipeline: Pipeline
    plan: dict[str, Any]
    store: Store
    artifacts: ArtifactReader

    def artefact(self, stage: str) -> Path:
        """The folder of a stage's artefact, verified.

        Raises:
            GenrecError: it is no longer in the store, or damaged.
        """
        key = next((one["fingerprint"] for one in self.plan["stages"] if one["name"] == stage), None)
        if key is None:
            raise GenrecError(f"run `{self.folder}` has no stage `{stage}`")
        folder = self.store.folder(stage, key)
        wrong = damage(folder, deep=True) if folder.exists() else "it is not there (--store names another)"
        if wrong:
            raise GenrecError(
                f"the artefact of `{stage}` in the store `{self.store.root}` cannot be used: {wrong}",
                hint=self._again(),
            )
        return folder

    def _again(self) -> str:
        """The command that makes the artefacts anew; of the plan only a folder that is there goes into it."""
        origin = str(self.plan.get("grown", {}).get("from", ""))
        if not origin:
            return shlex.join(["genrec", "run", str(self.folder / PIPELINE)])
        run = Path(os.path.normpath(self.folder.resolve() / origin))
        known = str(run) if (run / PLAN).is_file() else "RUN"
        words = ["genrec", "items", "add", known, str(self.folder / NEW_ITEMS), "--out", str(self.folder)]
        return shlex.join(words)

    @property
    def limit_note(self) -> str:
        """That the run was only tried on a part of its data; empty for any other."""
        return limit_note({"protocol": {"limit": self.pipeline.spec.data.limit}})

    @property
    def identifiers_stage(self) -> str:
        """The stage whose artefact holds the identifiers that the recommender used."""
        grown = self.plan.get("grown", {})
        return str(grown.get("identifiers") or self.pipeline.wiring.last.identifiers)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`.

        Raises:
            DataError: it is missing or was edited.
        """
        return read_metrics(self.folder / METRICS, f"genrec run {self.folder / PIPELINE}")

    @cached_property
    def prepared(self) -> Prepared:
        """Items and views."""
        return self.artifacts.prepared(self.artefact("data"))

    @cached_property
    def catalogue(self) -> Catalogue:
        """Items with the identifiers that the recommender used."""
        return self.artifacts.catalogue(self.artefact("data"), self.artefact(self.identifiers_stage))

    @cached_property
    def models(self) -> dict[str, LanguageModel]:
        """The trained models that the recommender reads, by slot."""
        return {slot: self.model(slot) for slot in type(self.pipeline.spec.recommend).slots}

    def model(self, slot: str) -> LanguageModel:
        """The model of one slot of the pipeline, as training left it; loaded at every call."""
        at = self.pipeline.wiring.last.models[slot]
        return at.load(self.artefact(at.stage))

    def open(self, context: Context | None = None, reaching: int = 0) -> RunSession:
        """The run's recommender and grounder, opened. Models and catalogue are shared between sessions.

        Args:
            context: progress and log; seed.
            reaching: candidates that an answer shall have at least, see `Recommender.reaching`.

        Raises:
            GenrecError: an artefact is gone.
        """
        spec = self.pipeline.spec
        asked = slots_asked(spec.recommend, *self.pipeline.prompts.values(), spec.ground)
        models = LoadedWhenAsked({slot: functools.partial(self.model, slot) for slot in asked})
        context = replace(context or Context(), models=models, fitter=stored_fitter(self._fitted()))
        tuned = self.artefact(TUNE) if spec.recommend.undecided() else None
        wanted = decided(spec.recommend, tuned).reaching(reaching)
        recommender = wanted.open(self.models, self.catalogue, self.pipeline.prompts, context)
        grounder, field = spec.ground.open(self.catalogue, context), spec.evaluate.domain_field
        domains = self.catalogue.items.by_value(field) if field else {}
        allowed = spec.ground.allowed(self.catalogue)
        return RunSession(recommender, grounder, spec.data.max_history, domains, allowed)

    def _fitted(self) -> dict[str, Path]:
        """Key of each baseline that the recommender or the grounder names → what it learnt."""
        return {key: self.artefact(stage) for key, stage in self.fitted_stages().items()}

    def fitted_stages(self) -> dict[str, str]:
        """Key of each baseline that the recommender or the grounder names → the stage that fitted it.

        Raises:
            GenrecError: the run was made with another version of one.
        """
        spec = self.pipeline.spec
        named = distinct_baselines([spec.recommend, spec.ground])
        stages = {
            fingerprint(stage["ingredients"]["components"]["baseline"]): stage["name"]
            for stage in self.plan["stages"]
            if named and stage["kind"] == "baseline"
        }
        gone = [one.name for key, one in named.items() if key not in stages]
        if gone:
            raise GenrecError(
                f"baseline `{gone[0]}` is not the version that the run `{self.folder}` was made with",
                hint=self._again(),
            )
        return {key: stages[key] for key in named}


class RunSession(Session):
    """A run that is open for recommending; one thread at a time.

    Args:
        recommender: writes candidates.
        grounder: maps them to items.
        max_history: how many of the newest items of a history the protocol allows.
        domains: domain → its items; a request that names one of them is answered from it alone. Empty where
            the run answers every request from the whole catalogue.
        allowed: the items that the grounder ever gives; None for all.
    """

    def __init__(
        self,
        recommender: RecommenderSession,
        grounder: GrounderSession,
        max_history: int,
        domains: Mapping[str, frozenset[int]],
        allowed: frozenset[int] | None = None,
    ) -> None:
        self._recommender, self._grounder = recommender, grounder
        self._max_history, self._domains, self._allowed = max_history, domains, allowed

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[Candidates, Ranked]]:
        """What was written for each request and the items it reaches, in order, as they are ready.

        A grounder may map what is no identifier to an item that a request does not allow; such items are left
        out.
        """
        asked = [self._limited(request) for request in requests]
        for request, answer in zip(asked, self._recommender.recommend(asked), strict=True):
            ranked = self._grounder.ground(answer)
            yield answer, ranked.where(request.allows(ranked.items)) if request.ruled else ranked

    def recommend(self, histories: Sequence[Sequence[int]], domain: str = "") -> list[Ranked]:
        """Ranked items after each history of item indices (oldest first).

        Raises:
            GenrecError: the run knows no such domain.
        """
        requests = [
            Request(f"request-{row}", tuple(history), domain=domain) for row, history in enumerate(histories)
        ]
        return [ranked for _, ranked in self.answers(requests)]

    def _limited(self, request: Request) -> Request:
        """The request under the run's protocol: history and candidates."""
        oldest = max(0, len(request.history) - self._max_history)
        if self._allowed is not None:
            request = request.within(self._allowed)
        if request.domain and self._domains:
            if request.domain not in self._domains:
                raise GenrecError(
                    f"no item is of the domain {shown(request.domain)}",
                    hint=f"domains are: {', '.join(sorted(self._domains)[:10])}",
                )
            request = request.within(self._domains[request.domain])
        return replace(request, history=request.history[oldest:]) if oldest else request

    def close(self) -> None:
        """Close both."""
        self._recommender.close()
        self._grounder.close()


def open_run(folder: Path, registry: Registry, store: Path | None = None) -> RunReader:
    """Open a run folder, a pipeline's folder in `runs` (its latest run), or a run with several seeds.

    Args:
        folder: which.
        registry: the components that its pipeline names.
        store: where its artefacts are; by default where the run says.

    Raises:
        GenrecError: there is no run, or a plugin it needs is gone.
    """
    home = _home(folder)
    try:
        plan = orjson.loads(regular_file(home / PLAN).read_bytes())
    except (OSError, ValueError) as error:
        packed = folder.is_file() and folder.suffix == ".zip"
        raise GenrecError(
            f"`{folder}` is no run folder: `{PLAN}` cannot be read",
            hint=shlex.join(["genrec", "unbundle", str(folder)])
            if packed
            else "name a folder like runs/<name>/latest",
        ) from error
    wrong = _wrong_with(plan)
    if wrong:
        raise GenrecError(
            f"this is not what a run writes: {wrong}",
            where=str(home / PLAN),
            hint="the file was edited or is from another program; run the pipeline again",
        )
    found = Store(store or store_of(home, plan))
    if _reads_from(found, plan):
        note_run(found, home, home.resolve().parent, artefacts_of(plan, found), known=True)
    return RunReader(home, _pipeline(home, plan, registry), plan, found, ArtifactReader())


def _reads_from(store: Store, plan: Mapping[str, Any]) -> bool:
    """Whether a store holds an artefact of the plan, which may name any folder; only a store is noted in."""
    for stage in plan["stages"]:
        manifest = store.manifest(stage["name"], stage["fingerprint"])
        if manifest is not None and manifest.fingerprint == stage["fingerprint"]:
            return True
    return False


def _pipeline(home: Path, plan: Mapping[str, Any], registry: Registry) -> Pipeline:
    """The pipeline of a run; files that moved with it, as in a bundle, are read where they are now."""
    now = moved_files(home, plan)
    changes = [f"{way}={orjson.dumps(place).decode()}" for way, place in now.items()]
    try:
        pipeline = load_pipeline(home / PIPELINE, registry, changes)
    except GenrecError as error:
        load_pipeline(home / PIPELINE, registry)  # wrong without the changes: that says it better
        raise refused_moves(home, f"options that do not take it: {error.message}") from error
    if now:
        refuse_other_options(home, pipeline.spec, now)
        recorded = {place: plan["moved"][way]["was"] for way, place in now.items()}
        for _, component in components_in(pipeline.spec):
            component.recorded = recorded
    return pipeline


def _wrong_with(plan: Any) -> str:
    """What `plan.json`, which may be somebody else's, holds that no run writes; empty when nothing.

    Stages and fingerprints become names of folders in the store, so none may lead out of it.
    """
    if not isinstance(plan, dict) or not isinstance(plan.get("stages"), list):
        return "there is no list of `stages`"
    for key in ("store", "store_was"):
        path = plan.get(key, "" if key == "store_was" else None)
        if not isinstance(path, str) or "\0" in path:
            return f"`{key}` is no path"
    if not isinstance(plan.get("seed"), int):
        return "`seed` is no whole number"
    if not isinstance(plan.get("grown", {}), dict):
        return "`grown` is no block"
    moved = plan.get("moved", {})
    files = list(moved.values()) if isinstance(moved, dict) else [moved]
    if any(not isinstance(file, dict) or not _texts(file.get("to"), file.get("was")) for file in files):
        return "`moved` is no block of files that moved"
    for stage in plan["stages"]:
        if not isinstance(stage, dict):
            return f"{shown(stage)} is no stage"
        for key, form in _FORMS.items():
            value = stage.get(key)
            if not isinstance(value, str) or not form.fullmatch(value):
                return f"{shown(value)} is no {key} of a stage"
        if not isinstance(stage.get("ingredients"), dict):
            return f"stage `{stage['name']}` has no ingredients"
        parts = stage["ingredients"].get("components", {})
        part = _COMPONENT_OF.get(stage["kind"])
        if not isinstance(parts, dict) or (part and part not in parts):
            return f"the `components` of stage `{stage['name']}` are no block" + f" with `{part}`" * bool(
                part
            )
    return ""


def _texts(*values: Any) -> bool:
    return all(isinstance(value, str) and "\0" not in value for value in values)


_FORMS = {
    "name": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    "kind": re.compile(r"[a-z][a-z-]*"),
    "fingerprint": re.compile(r"[0-9a-f]{64}"),
}


_COMPONENT_OF = {"embed": "encoder", "baseline": "baseline"}
"""Kind of stage → the component by which its artefact is found again."""


def _home(folder: Path) -> Path:
    """The folder that holds `plan.json`: `folder` itself, its latest run, or the first of its seeds."""
    candidates = [folder, folder / LATEST]
    candidates += sorted(folder.glob("seed-*")) + sorted((folder / LATEST).glob("seed-*"))
    return next((home for home in candidates if (home / PLAN).is_file()), folder)
