"""Results: what a finished run leaves in its folder for people: metrics, ranks, recommendations, the report.

`metrics.json` is the evaluation's result with the cost of each stage added; recommendations and ranks are
copied from the `evaluate` artefact; the report is laid out by `evaluation.report` from the same facts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.reward import Reward
from genrec_core.evaluation.evaluate import METRICS, MODEL_SYSTEM, RANKS
from genrec_core.evaluation.rankings import RECOMMENDATIONS, Rankings, without_viewed
from genrec_core.evaluation.report.facts import ReportFacts, ShownExample, StageFacts, shown_examples
from genrec_core.evaluation.report.page import write_report
from genrec_core.evaluation.report.rendering import Section
from genrec_core.pipeline.artifacts import CURVES, RANKINGS, ArtifactReader
from genrec_core.pipeline.diagnosed import diagnosed
from genrec_core.pipeline.graph import DATA, EVALUATE
from genrec_core.pipeline.run_folder import PIPELINE, REPORT, write_readable
from genrec_core.pipeline.runner import Done, Runner
from genrec_core.registry.loading import load_object
from genrec_core.store.content import load_arrays
from genrec_core.store.store import Store


def write_results(folder: Path, done: Done, runner: Runner) -> dict[str, Any]:
    """Write what a run has to show into its folder; gives back the metrics."""
    store, artifacts = runner.environment.store, runner.artifacts
    artefact = done.folders[EVALUATE]
    metrics: dict[str, Any] = orjson.loads((artefact / METRICS).read_bytes())
    metrics["cost"] = {stage: dict(cost) for stage, cost in done.cost.items()}
    write_readable(folder / METRICS, metrics)
    for name in (RECOMMENDATIONS, RANKS):
        shutil.copyfile(artefact / name, folder / name)
    facts = _facts(folder, done, store, artifacts, metrics)
    write_report(folder / REPORT, facts, _sections_of_plugins(facts, runner))
    return metrics


def _sections_of_plugins(facts: ReportFacts, runner: Runner) -> Iterator[Section]:
    """What plugins have to say in the report; one that fails is left out with a warning."""
    for entry in runner.environment.registry.extensions("section"):
        try:
            section = load_object(entry)(facts)
            if section is not None and not isinstance(section, Section):
                raise TypeError(f"it gave a {type(section).__name__}, not a Section")
        except Exception as error:
            reason = str(error) if isinstance(error, GenrecError) else f"{type(error).__name__}: {error}"
            runner.run_log.warn("", f"section `{entry.name}` of the report is left out: {reason}")
        else:
            if section is not None:
                yield section


def _facts(
    folder: Path, done: Done, store: Store, artifacts: ArtifactReader, metrics: dict[str, Any]
) -> ReportFacts:
    plan = done.plan
    notes = artifacts.prepared(_artefact(done, store, DATA)).notes
    return ReportFacts(
        name=plan.name,
        run_id=folder.name,
        metrics=metrics,
        pipeline_yaml=(folder / PIPELINE).read_text(encoding="utf-8"),
        plan=[
            StageFacts(entry.stage.name, done.outcomes[entry.stage.name], entry.reason.text, entry.key[:16])
            for entry in plan.entries
            if entry.stage.name in done.outcomes
        ],
        curves=_curves(done, store),
        examples=_examples(done, store, artifacts),
        notes=notes,
        diagnosis=diagnosed(done, store, artifacts),
        catalogue=_catalogue(done, store, artifacts),
        rewarded=any(
            isinstance(component, Reward)
            for entry in plan.entries
            for component in entry.stage.everything().values()
        ),
    )


def _catalogue(done: Done, store: Store, artifacts: ArtifactReader) -> Catalogue:
    """Items and identifiers as they were evaluated."""
    role = done.plan.entry(EVALUATE).stage.inputs
    return artifacts.catalogue(
        _artefact(done, store, role["data"]), _artefact(done, store, role["identifiers"])
    )


def _curves(done: Done, store: Store) -> dict[str, Any]:
    """Training step → curves; with --only a step's artefact may be gone."""
    steps = [entry.stage.name for entry in done.plan.entries if entry.stage.kind == "train"]
    files = {name.partition(".")[2]: _artefact(done, store, name) / CURVES for name in steps}
    return {step: orjson.loads(file.read_bytes()) for step, file in files.items() if file.exists()}


def _examples(done: Done, store: Store, artifacts: ArtifactReader) -> list[ShownExample]:
    entry = done.plan.entry(EVALUATE)
    role = entry.stage.inputs
    prepared = artifacts.prepared(_artefact(done, store, role["data"]))
    catalogue = _catalogue(done, store, artifacts)
    rankings = Rankings.load(_artefact(done, store, role["rankings"]) / RANKINGS.format(view="test"))
    if entry.stage.settings()["filter_viewed"]:
        rankings = without_viewed(rankings, prepared.views.test.rows)
    ranks, _ = load_arrays(done.folders[EVALUATE] / RANKS)
    return list(shown_examples(prepared.views.test, rankings, ranks[MODEL_SYSTEM], catalogue))


def _artefact(done: Done, store: Store, stage: str) -> Path:
    return store.folder(stage, done.plan.entry(stage).key)
