"""`genrec run`: run a pipeline and show what came out. `genrec check`: what is wrong with it, before it runs.

    genrec check pipeline.yaml           pipeline.yaml: ok. Stages: data → tokenize → model → …
    genrec run pipeline.yaml --explain   which stages would run, and why
    genrec run pipeline.yaml             two tables: how well each system recommends, and what each stage cost

Figures of the tables are read from `metrics.json`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from genrec_core.cli.environment import JSON, SET, StoreAndRuns, environment, folders
from genrec_core.contracts.errors import GenrecError
from genrec_core.evaluation.report.facts import (
    ReportFacts,
    headline_metric,
    limit_note,
    metric_columns,
    short_rows_note,
    systems_of,
    title,
)
from genrec_core.evaluation.report.figures import count, duration, percent, share
from genrec_core.pipeline.console import echo, echo_json, terminal
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.load import Pipeline, load_pipeline
from genrec_core.pipeline.numbers import MOST_COUNTED, Whole
from genrec_core.pipeline.plan import Entry
from genrec_core.pipeline.run import Finished, ManyFinished, StageSelection, planned, run_pipeline, run_seeds
from genrec_core.pipeline.run_folder import REPORT
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.pipeline.stages.stage import Stage
from genrec_core.pipeline.stages.train import TrainStage
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.loading import missing_modules

_SEED = re.compile("[0-9]{1,10}")


def _selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--from` and `--only` as one argument `selection`."""

    @click.option(
        "--from", "start", default="", metavar="STAGE", help="Make this stage and its dependents anew."
    )
    @click.option("--only", default="", metavar="STAGE", help="Run this stage alone, on the store as it is.")
    @functools.wraps(command)
    def wrapped(start: str, only: str, **rest: Any) -> None:
        command(selection=StageSelection(start, only), **rest)

    return wrapped


@click.command()
@click.argument("pipeline", type=click.Path(path_type=Path))
@SET
@_selection_options
@click.option("--explain", is_flag=True, help="Say what would run and why; run nothing.")
@click.option(
    "--limit", type=Whole(1, MOST_COUNTED), metavar="USERS", help="Try it on so many users; results say so."
)
@click.option("--seeds", default="", metavar="1,2,3", help="Run with each seed; report mean and spread.")
@folders
@JSON
def run(
    pipeline: Path,
    changes: tuple[str, ...],
    selection: StageSelection,
    explain: bool,
    limit: int | None,
    seeds: str,
    place: StoreAndRuns,
    as_json: bool,
) -> None:
    """Run PIPELINE, a YAML file.

    Stages whose inputs did not change are taken from the store. A run that was interrupted goes on where it
    stopped when the same command is given again.
    """
    run_environment = environment(place, quiet=as_json)
    changes = changes if limit is None else (*changes, f"data.limit={limit}")
    loaded = load_pipeline(pipeline, run_environment.registry, changes)
    several = seeds_of(seeds) or loaded.spec.seeds
    if explain:
        _explain(loaded, run_environment, several[0] if several else loaded.spec.seed, selection, as_json)
        return
    one = functools.partial(run_pipeline, loaded, run_environment, selection=selection)
    finished: Finished | ManyFinished = (
        run_seeds(loaded, run_environment, several, selection) if several else one()
    )
    if as_json:
        folder = str(finished.folder) if finished.folder else None
        echo_json({"run": folder, "metrics": finished.metrics})
    elif finished.folder:
        print_results(loaded.spec.name, finished.metrics, finished.folder)


def _explain(
    pipeline: Pipeline, run_environment: RunEnvironment, seed: int, selection: StageSelection, as_json: bool
) -> None:
    _, plan, chosen = planned(pipeline, run_environment, seed, selection)
    entries = [entry for entry in plan.entries if entry.stage.name in chosen]
    if as_json:
        stages = [
            {"stage": entry.stage.name, "fingerprint": entry.key, "runs": entry.runs, **entry.reason.plain()}
            for entry in entries
        ]
        echo_json({"name": plan.name, "seed": seed, "stages": stages})
    else:
        _print_plan(entries)
        for line in memory_lines(entry.stage for entry in entries if entry.runs):
            echo(line)


def memory_lines(stages: Iterable[Stage]) -> Iterator[str]:
    """What each training step needs for its weights, where model and trainer can tell."""
    for stage in stages:
        if not isinstance(stage, TrainStage):
            continue
        for slot in stage.trainer.changed():
            size = stage.models[slot].backbone.size()
            needed = stage.trainer.memory(size) if size else None
            if size and needed is not None:
                kind = "bfloat16" if size.bytes_each == 2 else "float32"
                yield (
                    f"{stage.name}: about {needed / 1e9:.1f} GB for weights, gradients and optimiser of "
                    f"{size.weights / 1e6:,.0f} million {kind} weights; activations come on top"
                )


def seeds_of(text: str) -> tuple[int, ...]:
    """The seeds that `--seeds` names, none where it was not given.

    Raises:
        GenrecError: it is no list of different whole numbers.
    """
    parts = [part.strip() for part in text.split(",")] if text else []
    seeds = tuple(int(part) for part in parts if _SEED.fullmatch(part) and int(part) < 2**31)
    if len(set(seeds)) < len(parts):
        raise GenrecError(
            f"`{text}` is no list of different seeds",
            where=f"--seeds {text}",
            hint="write whole numbers with commas between, like --seeds 1,2,3",
        )
    return seeds


def print_results(name: str, metrics: Mapping[str, Any], folder: Path) -> None:
    """The metric table, the share of the oracle, the cost, and where everything is."""
    console = terminal()
    facts = ReportFacts(name=name, run_id=folder.name, metrics=metrics)
    console.print(_systems(facts))
    for line in _remarks(facts):
        console.print(escape(line))
    console.print(_cost(metrics.get("cost", {})))
    console.print(f"run     {folder}", markup=False, soft_wrap=True)
    if (folder / REPORT).exists():
        console.print(f"report  {folder / REPORT}", markup=False, soft_wrap=True)


def _print_plan(entries: Sequence[Entry]) -> None:
    """What would run, and why."""
    table = Table("stage", "", "why", title="nothing was run", title_justify="left", box=None)
    for entry in entries:
        table.add_row(entry.stage.name, "run" if entry.runs else "reuse", escape(entry.reason.text))
    terminal().print(table)


def _systems(facts: ReportFacts) -> Table:
    """One row a system; the headline metric has its interval (or spread) in a column of its own."""
    systems, headline = systems_of(facts), headline_metric(facts)
    known = systems[0].metrics if systems else {}
    columns = metric_columns(known, coverage=False)
    protocol = facts.metrics.get("protocol", {}).get("hash", "")
    table = Table(
        title=f"test, protocol {protocol}", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(title(column), justify="right", no_wrap=True)
        if column == headline:
            table.add_column("95 % interval", no_wrap=True)
            if "seeds" in facts.metrics:
                table.add_column("± std", no_wrap=True)
    for system in systems:
        cells: list[str] = []
        for column in columns:
            cells.append(share(system.metrics[column]) if column in system.metrics else "–")
            if column == headline:
                ends = system.intervals.get(column)
                cells.append(f"{ends[0]:.3f} – {ends[1]:.3f}" if ends else "")
                if "seeds" in facts.metrics:
                    varied = system.deviations.get(column)
                    cells.append("" if varied is None else f"{varied:.4f}")
        table.add_row(escape(system.label), *cells, style="bold" if system.role == "model" else "")
    return table


def _remarks(facts: ReportFacts) -> list[str]:
    metrics, metric = facts.metrics, headline_metric(facts)
    lines = [tried] if (tried := limit_note(metrics)) else []
    if "seeds" in metrics:
        lines.append(f"means of {len(metrics['seeds'])} seeds; intervals: Student's t over users and seeds")
    elif metrics.get("intervals", {}).get("test"):
        lines.append("intervals: bootstrap over test examples")
    of_oracle = metrics.get("share_of_oracle", {}).get(metric)
    if of_oracle is not None:
        lines.append(f"{title(metric)} is {percent(of_oracle)} of the oracle's")
    filtered = metrics.get("settings", {}).get("filter_viewed")
    lines.append(f"viewed items {'are' if filtered else 'are not'} taken out of rankings")
    if short := short_rows_note(facts):
        lines.append(short)
    found = metrics.get("identifiers", {}).get("collision_rate")
    if found:
        lines.append(f"{percent(found)} of items share their identifier with another")
    return lines


def _cost(cost: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table("stage", title="cost", title_justify="left", box=None)
    for column in ("time", "processor", "peak memory", "tokens"):
        table.add_column(column, justify="right")
    table.add_column("")
    for stage, figures in cost.items():
        table.add_row(
            stage,
            duration(figures["seconds"]),
            duration(figures["cpu_seconds"]),
            f"{count(figures['peak_mb'])} MB",
            count(figures["tokens"]) if figures.get("tokens") else "",
            "reused" if figures.get("reused") else "",
        )
    return table


@click.command()
@click.argument("pipeline", type=click.Path(path_type=Path))
@SET
def check(pipeline: Path, changes: tuple[str, ...]) -> None:
    """Check PIPELINE: components, options, files and packages it needs, and that its stages fit together."""
    registry, _ = load_plugins()
    loaded = load_pipeline(pipeline, registry, changes)
    loaded.refuse_missing_files()
    # Without the engine nothing runs here, and whoever checks here knows it: the note is enough.
    note = "\nto run it here: pip install 'genrec-core[engine]'" if missing_modules(["torch"]) else ""
    if not note:
        loaded.refuse_unusable()
    graph = Graph(loaded, registry)
    echo(f"{pipeline}: ok. Stages: {' → '.join(graph.stages)}{note}")
    for line in memory_lines(graph.stages.values()):
        echo(line)
