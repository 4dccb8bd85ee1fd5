"""A run: plan, run folder, stages, results.

pipeline = load_pipeline(Path("pipeline.yaml"), registry)
finished = run_pipeline(pipeline, workshop)
finished.metrics["test"]["recall@10"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec_core.pipeline.graph import EVALUATE, Graph
from genrec_core.pipeline.journal import Journal
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
from genrec_core.pipeline.runner import Done, Runner, Workshop
from genrec_core.pipeline.writing import write_results


@dataclass(frozen=True)
class Wish:
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
    pipeline: Pipeline, workshop: Workshop, seed: int, wish: Wish | None = None
) -> tuple[Graph, Plan, list[str]]:
    """The graph, its plan, and the names of the stages that are wanted.

    Raises:
        GenrecError: a wish names no stage, or needs what is not in the store.
    """
    wish = wish or Wish()
    graph = Graph(pipeline, workshop.registry)
    last = last_ingredients(workshop.runs, pipeline.spec.name, seed)
    plan = make_plan(graph, seed, workshop.store, last)
    chosen = only(plan, wish.only) if wish.only else list(graph.stages)
    if wish.start:
        plan = forced(plan, wish.start)
    return graph, plan, chosen


def run_pipeline(
    pipeline: Pipeline,
    workshop: Workshop,
    seed: int | None = None,
    wish: Wish | None = None,
    folder: Path | None = None,
) -> Finished:
    """Run a pipeline with one seed.

    Args:
        pipeline: what.
        workshop: where.
        seed: instead of the pipeline's own.
        wish: a part of it only.
        folder: an existing, empty run folder; by default a new one, to which `latest` then points.

    Raises:
        GenrecError: a stage cannot run; earlier stages stay in the store.
    """
    seed = pipeline.spec.seed if seed is None else seed
    workshop.store.sweep()
    graph, plan, chosen = planned(pipeline, workshop, seed, wish)
    if EVALUATE not in chosen:
        runner = Runner(workshop, Journal(None, pipeline.spec.observe), graph.embed_stages())
        return Finished(None, {}, runner.carry_out(plan, chosen))
    home = folder or new_run_folder(workshop.runs, pipeline.spec.name)
    write_pipeline(home / PIPELINE, pipeline.spec.described(seed))
    _record(home, plan, workshop, {})
    journal = Journal(home / LOG, pipeline.spec.observe)
    journal.run_started(home.name, plan_record(plan, workshop.store.root, workshop.versions, {}))
    runner = Runner(workshop, journal, graph.embed_stages())
    done = runner.carry_out(plan, chosen)
    _record(home, done.plan, workshop, done.outcomes)
    metrics = write_results(home, done, workshop.store, runner.shelf)
    journal.run_finished(home.name, metrics)
    if folder is None:
        point_latest(home)
    return Finished(home, metrics, done)


def _record(home: Path, plan: Plan, workshop: Workshop, outcomes: Mapping[str, str]) -> None:
    write_json(home / PLAN, plan_record(plan, workshop.store.root, workshop.versions, outcomes))
