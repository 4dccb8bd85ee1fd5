"""A run: plan, run folder, stages, results.

pipeline = load_pipeline(Path("pipeline.yaml"), registry)
finished = run_pipeline(pipeline, environment)
finished.metrics["test"]["recall@10"]
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.graph import EVALUATE, Graph
from genrec_core.pipeline.load import Pipeline
from genrec_core.pipeline.plan import Plan, forced, make_plan, only
from genrec_core.pipeline.run_folder import (
    LOG,
    PIPELINE,
    PLAN,
    last_ingredients,
    new_run_folder,
    plan_record,
    point_latest,
    write_json,
    write_pipeline,
)
from genrec_core.pipeline.run_log import RunLog
from genrec_core.pipeline.runner import Done, RunEnvironment, Runner
from genrec_core.pipeline.writing import write_results


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
    _refuse_several_processes()
    seed = pipeline.spec.seed if seed is None else seed
    environment.store.sweep()
    graph, plan, chosen = planned(pipeline, environment, seed, selection)
    if EVALUATE not in chosen:
        log = RunLog(None, pipeline.spec.observe, environment.console)
        runner = Runner(environment, log, graph.embed_stages(), graph.fits)
        return Finished(None, {}, runner.carry_out(plan, chosen))
    home = folder or new_run_folder(environment.runs, pipeline.spec.name)
    write_pipeline(home / PIPELINE, pipeline.spec.described(seed))
    _record(home, plan, environment, {})
    run_log = RunLog(home / LOG, pipeline.spec.observe, environment.console)
    run_log.run_started(home.name, plan_record(plan, environment.store.root, environment.versions, {}))
    runner = Runner(environment, run_log, graph.embed_stages(), graph.fits)
    try:
        done = runner.carry_out(plan, chosen)
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
    write_json(home / PLAN, plan_record(plan, environment.store.root, environment.versions, outcomes))


def _refuse_several_processes() -> None:
    """One process runs a pipeline: each of several would make and write the same things.

    Raises:
        GenrecError: a launcher such as torchrun started more than one.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size not in ("", "0", "1"):
        raise GenrecError(
            f"`WORLD_SIZE` is `{size}`: several processes were started, and each would train on the same "
            "batches and write the same checkpoints",
            hint="start one process, with `genrec run`; training over several is not supported yet",
        )
