"""A run: plan, run folder, stages, results; with one seed or with several.

    pipeline = load_pipeline(Path("pipeline.yaml"), registry)
    finished = run_pipeline(pipeline, environment)
    finished.metrics["test"]["recall@10"]          # 0.0612

With several seeds each has a run folder of its own inside one that holds what they have in common:

    runs/<name>/<id>/  metrics.json (means, `spread`)   report.html   seed-1/ …   seed-2/ …

The means stand where a single run's figures stand, so that whatever reads `metrics.json` reads these too;
`spread` holds mean, standard deviation, smallest and largest of each, and intervals are over users and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.processes import one_process
from genrec_core.evaluation.evaluate import METRICS, MODEL_SYSTEM, RANKS
from genrec_core.evaluation.intervals import across_seeds
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.page import write_report
from genrec_core.evaluation.seeds import seed_differences, seed_intervals
from genrec_core.pipeline.graph import EVALUATE, Graph
from genrec_core.pipeline.load import Pipeline
from genrec_core.pipeline.plan import Plan, forced, make_plan, only
from genrec_core.pipeline.results import write_results
from genrec_core.pipeline.run_folder import (
    LOG,
    PIPELINE,
    PLAN,
    REPORT,
    last_ingredients,
    new_run_folder,
    plan_record,
    point_latest,
    write_pipeline,
    write_readable,
)
from genrec_core.pipeline.run_log import RunLog
from genrec_core.pipeline.runner import Done, RunEnvironment, Runner
from genrec_core.store.content import load_arrays
from genrec_core.store.references import Claim, note_run

_SEED_FOLDER = "seed-{seed}"


@dataclass(frozen=True)
class StageSelection:
    """What of a pipeline is wanted.

    Attributes:
        start: `--from`: this stage and everything that depends on it is made anew.
        only: `--only`: this stage alone, from what is in the store.
    """

    start: str = ""
    only: str = ""


@dataclass(frozen=True)
class Finished:
    """A run that ended well.

    Attributes:
        folder: its run folder; None when only a part ran that has no results to show.
        metrics: the content of `metrics.json`; empty likewise.
        done: what became of each stage.
    """

    folder: Path | None
    metrics: Mapping[str, Any]
    done: Done


@dataclass(frozen=True)
class ManyFinished:
    """Runs with several seeds.

    Attributes:
        folder: holds one run folder a seed.
        metrics: means and spread.
        runs: seed → its run.
    """

    folder: Path
    metrics: dict[str, Any]
    runs: dict[int, Finished]


def planned(
    pipeline: Pipeline, environment: RunEnvironment, seed: int, selection: StageSelection | None = None
) -> tuple[Graph, Plan, list[str]]:
    """The graph, its plan, and the names of the stages that are wanted.

    Raises:
        GenrecError: a file that a component reads is not there; a selection names no stage, or needs what
            is not in the store.
    """
    selection = selection or StageSelection()
    pipeline.refuse_missing_files()
    graph = Graph(pipeline, environment.registry)
    last = last_ingredients(environment.runs, pipeline.spec.name, seed)
    plan = make_plan(graph, seed, environment.store, last)
    chosen = only(plan, selection.only) if selection.only else list(graph.stages)
    if selection.start:
        plan = forced(plan, selection.start)
    return graph, plan, chosen


@one_process
def run_pipeline(
    pipeline: Pipeline,
    environment: RunEnvironment,
    seed: int | None = None,
    selection: StageSelection | None = None,
    folder: Path | None = None,
) -> Finished:
    """Run a pipeline with one seed.

    Args:
        pipeline: what.
        environment: where.
        seed: instead of the pipeline's own.
        selection: a part of it only.
        folder: an existing, empty run folder; by default a new one, to which `latest` then points.

    Raises:
        GenrecError: a stage cannot run (earlier stages stay in the store), or several processes were started.
    """
    environment.store.sweep()
    with Claim(environment.store) as claim:
        with claim.planning():
            seed = pipeline.spec.seed if seed is None else seed
            graph, plan, chosen = planned(pipeline, environment, seed, selection)
            claim.take(plan.artefacts(environment.store))
        return _carried_out(pipeline, environment, _Planned(graph, plan, chosen), folder)


@dataclass(frozen=True)
class _Planned:
    graph: Graph
    plan: Plan
    chosen: list[str]


def _carried_out(
    pipeline: Pipeline, environment: RunEnvironment, what: _Planned, folder: Path | None
) -> Finished:
    graph, plan, chosen = what.graph, what.plan, what.chosen
    if any(plan.entry(name).runs for name in chosen):
        pipeline.refuse_unusable()
    if EVALUATE not in chosen:
        log = RunLog(None, pipeline.spec.observe, environment.console)
        runner = Runner(environment, log, graph.embed_stages(), graph.fits)
        return Finished(None, {}, runner.carry_out(plan, chosen, pipeline.refuse_items))
    home = folder or new_run_folder(environment.runs, pipeline.spec.name)
    write_pipeline(home / PIPELINE, pipeline.spec.described(plan.seed))
    _record(home, plan, environment, {})
    note_run(environment.store, home, environment.runs, plan.artefacts(environment.store))
    run_log = RunLog(home / LOG, pipeline.spec.observe, environment.console)
    run_log.run_started(home.name, plan_record(plan, home, environment.store.root, environment.versions, {}))
    runner = Runner(environment, run_log, graph.embed_stages(), graph.fits)
    try:
        done = runner.carry_out(plan, chosen, pipeline.refuse_items)
        _record(home, done.plan, environment, done.outcomes)
        metrics = write_results(home, done, runner)
    except KeyboardInterrupt as error:
        run_log.interrupted(str(error) or "Ctrl-C")
        raise
    run_log.run_finished(home.name, metrics)
    wrong = point_latest(home) if folder is None else ""
    if wrong:
        run_log.warn("", wrong)
    return Finished(home, metrics, done)


def _record(home: Path, plan: Plan, environment: RunEnvironment, outcomes: Mapping[str, str]) -> None:
    record = plan_record(plan, home, environment.store.root, environment.versions, outcomes)
    write_readable(home / PLAN, record)


@one_process
def run_seeds(
    pipeline: Pipeline,
    environment: RunEnvironment,
    seeds: Sequence[int],
    selection: StageSelection | None = None,
) -> ManyFinished:
    """Run a pipeline with each seed in turn; what no seed touches is computed once and shared.

    Raises:
        GenrecError: only a stage without results is wanted, so there is nothing to average; or several
            processes were started.
    """
    if selection and selection.only not in ("", EVALUATE):
        raise GenrecError(f"`--only {selection.only}` has no results to average", hint="run it with one seed")
    home = new_run_folder(environment.runs, pipeline.spec.name)
    described = {**pipeline.spec.described(0), "seeds": list(seeds)}
    del described["seed"]
    write_pipeline(home / PIPELINE, described)
    runs = {}
    for seed in seeds:
        folder = home / _SEED_FOLDER.format(seed=seed)
        folder.mkdir()
        environment.console.say(f"seed {seed}")
        runs[seed] = run_pipeline(pipeline, environment, seed, selection, folder)
    metrics = _together(runs)
    write_readable(home / METRICS, metrics)
    facts = ReportFacts(
        name=pipeline.spec.name,
        run_id=home.name,
        metrics=metrics,
        pipeline_yaml=(home / PIPELINE).read_text(encoding="utf-8"),
        seeds={str(seed): run.metrics for seed, run in runs.items()},
    )
    write_report(home / REPORT, facts)
    wrong = point_latest(home)
    if wrong:
        environment.console.warn(wrong)
    return ManyFinished(home, metrics, runs)


def _together(runs: dict[int, Finished]) -> dict[str, Any]:
    """The first run's metrics with means in place of its figures, and the spread beside them."""
    every = [run.metrics for run in runs.values()]
    first = every[0]
    spread = {part: across_seeds([metrics[part] for metrics in every]) for part in ("test", "valid")}
    baselines = {
        name: across_seeds([metrics["baselines"][name] for metrics in every]) for name in first["baselines"]
    }
    return {
        "protocol": first["protocol"],
        "settings": first["settings"],
        "seeds": {str(seed): _SEED_FOLDER.format(seed=seed) for seed in runs},
        **{part: _means(found) for part, found in spread.items()},
        "baselines": {name: _means(found) for name, found in baselines.items()},
        "spread": {**spread, "baselines": baselines},
        **_over_seeds(runs, first["settings"]["at"]),
        "counts": {"test": {"examples": first["counts"]["test"]["examples"]}},
        "identifiers": first["identifiers"],
        "cost": {
            f"{stage} (seed {seed})": cost
            for seed, run in runs.items()
            for stage, cost in run.metrics["cost"].items()
        },
    }


def _over_seeds(runs: dict[int, Finished], at: Sequence[int]) -> dict[str, Any]:
    """Intervals of each system over users and seeds, and the model against each baseline."""
    every = [load_arrays(run.folder / RANKS)[0] for run in runs.values() if run.folder]
    ranks = {name: np.stack([one[name] for one in every]) for name in every[0]}
    ends = {
        name: {metric: list(found) for metric, found in seed_intervals(one, at).items()}
        for name, one in ranks.items()
    }
    model = ranks.pop(MODEL_SYSTEM)
    return {
        "intervals": {"test": ends.pop(MODEL_SYSTEM), "baselines": ends},
        "comparisons": {
            name: {
                metric: found.plain()
                for metric, found in seed_differences(model, one, at, paired=True).items()
            }
            for name, one in ranks.items()
        },
    }


def _means(found: dict[str, dict[str, float | int]]) -> dict[str, float | int]:
    return {metric: figures["mean"] for metric, figures in found.items()}
