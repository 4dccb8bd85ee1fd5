"""`genrec doctor`: the health of a run's identifiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from genrec_core.cli.workplace import JSON
from genrec_core.evaluation.report.numbers import count, percent
from genrec_core.identifiers.health import health
from genrec_core.pipeline.opened import open_run
from genrec_core.registry.discovery import load_plugins


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@JSON
def doctor(run: Path, as_json: bool) -> None:
    """Examine the identifiers of RUN: collisions, lengths, and how each level uses its codes."""
    opened = open_run(run, load_plugins()[0])
    found = health(opened.catalogue.identifiers)
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY))
        return
    click.echo(_summary(found))
    _print_levels(found["levels"])


def _summary(found: dict[str, Any]) -> str:
    length = found["length"]
    return "\n".join(
        [
            f"items              {count(found['items'])}",
            f"identifiers        {count(found['distinct'])} distinct",
            f"collision rate     {percent(found['collision_rate'])} of items share theirs with another",
            f"largest bucket     {count(found['largest_bucket'])} items",
            f"length             {length['min']} to {length['max']} tokens, mean {length['mean']:.2f}",
            f"new tokens         {count(found['new_tokens'])}",
        ]
    )


def _print_levels(levels: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not levels:
        return
    table = Table(box=None)
    for column in levels[0]:
        table.add_column(column.replace("_", " "), justify="right")
    for level in levels:
        table.add_row(
            *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in level.values())
        )
    Console(highlight=False).print(table)
