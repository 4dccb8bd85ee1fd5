"""Writing: a finished run as files for people, made from its artefacts.

`metrics.json` is the judge's verdict with the cost of each stage added; recommendations and ranks are
copied from the `evaluate` artefact; the report is laid out by `evaluation.report` from the same facts.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson

from genrec_core.evaluation.judge import MODEL, RANKS
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.recommendations import RECOMMENDATIONS
from genrec_core.evaluation.report.examples import shown_examples
from genrec_core.evaluation.report.facts import ReportFacts, ShownExample, StageFacts
from genrec_core.evaluation.report.page import write_report
from genrec_core.evaluation.viewed import without_viewed
from genrec_core.pipeline.artifacts import CURVES, RANKINGS, ArtifactReader
from genrec_core.pipeline.diagnosed import diagnosed
from genrec_core.pipeline.graph import DATA, EVALUATE
from genrec_core.pipeline.run_folder import METRICS, PIPELINE, REPORT, write_json
from genrec_core.pipeline.runner import Done
from genrec_core.store.arrays import load_arrays
from genrec_core.store.store import Store


def write_results(folder: Path, done: Done, store: Store, artifacts: ArtifactReader) -> dict[str, Any]:
    """Write what a run has to show into its folder; gives back the metrics."""
    artefact = done.folders[EVALUATE]
    metrics: dict[str, Any] = orjson.loads((artefact / METRICS).read_bytes())
    metrics["cost"] = {stage: dict(cost) for stage, cost in done.cost.items()}
    write_json(folder / METRICS, metrics)
    for name in (RECOMMENDATIONS, RANKS):
        shutil.copyfile(artefact / name, folder / name)
    _report(folder, done, store, artifacts, metrics)
    return metrics


def _report(
    folder: Path, done: Done, store: Store, artifacts: ArtifactReader, metrics: dict[str, Any]
) -> None:
    plan = done.plan
    notes = artifacts.prepared(_artefact(done, store, DATA)).notes
    facts = ReportFacts(
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
    )
    write_report(folder / REPORT, facts)


def _curves(done: Done, store: Store) -> dict[str, Any]:
    """Training step → curves; with --only a step's artefact may be gone."""
    steps = [entry.stage.name for entry in done.plan.entries if entry.stage.kind == "train"]
    files = {name.partition(".")[2]: _artefact(done, store, name) / CURVES for name in steps}
    return {step: orjson.loads(file.read_bytes()) for step, file in files.items() if file.exists()}


def _examples(done: Done, store: Store, artifacts: ArtifactReader) -> list[ShownExample]:
    entry = done.plan.entry(EVALUATE)
    role = entry.stage.inputs
    prepared = artifacts.prepared(_artefact(done, store, role["data"]))
    catalogue = artifacts.catalogue(
        _artefact(done, store, role["data"]), _artefact(done, store, role["identifiers"])
    )
    rankings = Rankings.load(_artefact(done, store, role["rankings"]) / RANKINGS.format(view="test"))
    if entry.stage.settings()["filter_viewed"]:
        rankings = without_viewed(rankings, prepared.views.test.rows)
    ranks, _ = load_arrays(done.folders[EVALUATE] / RANKS)
    return list(shown_examples(prepared.views.test, rankings, ranks[MODEL], catalogue))


def _artefact(done: Done, store: Store, stage: str) -> Path:
    return store.folder(stage, done.plan.entry(stage).key)
