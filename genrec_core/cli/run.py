"""`genrec run`: run a pipeline and show what came out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from genrec_core.cli.environment import JSON, SET, StoreAndRuns, environment, folders
from genrec_core.cli.result_table import print_plan, print_results
from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.console import echo_json
from genrec_core.pipeline.load import Pipeline, load_pipeline
from genrec_core.pipeline.run import Finished, ManyFinished, StageSelection, planned, run_pipeline, run_seeds
from genrec_core.pipeline.runner import RunEnvironment


def wishes(command: Callable[..., None]) -> Callable[..., None]:
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
@wishes
@click.option("--explain", is_flag=True, help="Say what would run and why; run nothing.")
@click.option("--seeds", default="", metavar="1,2,3", help="Run with each seed; report mean and spread.")
@folders
@JSON
def run(
    pipeline: Path,
    changes: tuple[str, ...],
    selection: StageSelection,
    explain: bool,
    seeds: str,
    place: StoreAndRuns,
    as_json: bool,
) -> None:
    """Run PIPELINE, a YAML file.

    Stages whose inputs did not change are taken from the store. A run that was interrupted goes on where it
    stopped when the same command is given again.
    """
    shop = environment(place, quiet=as_json)
    loaded = load_pipeline(pipeline, shop.registry, changes)
    several = _seeds(seeds) or loaded.spec.seeds
    if explain:
        _explain(loaded, shop, several[0] if several else loaded.spec.seed, selection, as_json)
        return
    one = functools.partial(run_pipeline, loaded, shop, selection=selection)
    finished: Finished | ManyFinished = run_seeds(loaded, shop, several, selection) if several else one()
    if as_json:
        folder = str(finished.folder) if finished.folder else None
        echo_json({"run": folder, "metrics": finished.metrics})
    elif finished.folder:
        print_results(loaded.spec.name, finished.metrics, finished.folder)


def _explain(
    pipeline: Pipeline, shop: RunEnvironment, seed: int, selection: StageSelection, as_json: bool
) -> None:
    _, plan, chosen = planned(pipeline, shop, seed, selection)
    entries = [entry for entry in plan.entries if entry.stage.name in chosen]
    if as_json:
        stages = [
            {"stage": entry.stage.name, "fingerprint": entry.key, "runs": entry.runs, **entry.reason.plain()}
            for entry in entries
        ]
        echo_json({"name": plan.name, "seed": seed, "stages": stages})
    else:
        print_plan(entries)


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text else []
    wrong = [part for part in parts if not part.isdecimal() or int(part) >= 2**31]
    if wrong or len(set(parts)) < len(parts):
        raise GenrecError(
            f"`{text}` is no list of different seeds",
            where=f"--seeds {text}",
            hint="write whole numbers with commas between, like --seeds 1,2,3",
        )
    return tuple(int(part) for part in parts)
