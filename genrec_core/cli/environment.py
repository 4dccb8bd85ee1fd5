"""What commands share: the plugins that are installed, and where runs and artefacts are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from genrec_core.pipeline.console import console
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store

SET = click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE", help="Change an option: --set train.sft.epochs=3"
)
STORE = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of artefacts; by default the one that the run names.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@dataclass(frozen=True)
class StoreAndRuns:
    """Where artefacts and runs are kept."""

    store: Path
    runs: Path


def folders(command: Callable[..., None]) -> Callable[..., None]:
    """`--store` and `--runs` as one argument `place`."""
    kind = click.Path(path_type=Path)

    @click.option("--store", type=kind, default=Path("store"), show_default=True, help="Folder of artefacts.")
    @click.option("--runs", type=kind, default=Path("runs"), show_default=True, help="Folder of run folders.")
    @functools.wraps(command)
    def wrapped(store: Path, runs: Path, **rest: Any) -> None:
        command(place=StoreAndRuns(store, runs), **rest)

    return wrapped


def environment(place: StoreAndRuns, *, quiet: bool = False) -> RunEnvironment:
    """Everything a run needs; packages of usable plugins are noted with their versions."""
    registry, reports = load_plugins()
    versions = {report.distribution: report.version for report in reports if not report.error}
    return RunEnvironment(registry, Store(place.store), place.runs, versions, console(quiet=quiet))
