"""`genrec compare`: finished runs beside each other, with intervals and paired differences."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.console import echo, echo_json, terminal
from genrec_core.pipeline.numbers import MOST_COUNTED, Whole

if TYPE_CHECKING:
    from rich.table import Table as Printed
    from rich.text import Text

    from genrec_core.evaluation.compare import (
        ComparedPair,
        ComparedRow,
        ComparedRun,
        Comparison,
        ProtocolTable,
    )

_PATH = click.Path(path_type=Path)


@contextlib.contextmanager
def _read_by_somebody(path: Path) -> Iterator[None]:
    """Keep a pipe open that somebody reads (`--html >(less)`), as writing waits for ever where nobody does.

    Raises:
        GenrecError: nobody does.
    """
    if not path.is_fifo():
        yield
        return
    try:
        held = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise GenrecError(
            f"`{path}` is a pipe that nobody reads", where="--html", hint="name a file"
        ) from error
    try:
        yield
    finally:
        os.close(held)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...")
@click.option("--runs", "home", type=_PATH, default=Path("runs"), show_default=True, help="Where runs lie.")
@click.option("--html", type=_PATH, help="Also write the comparison as an HTML page.")
@click.option("--resamples", type=Whole(1, 100_000), default=1000, show_default=True)
@click.option("--seed", type=Whole(0, MOST_COUNTED), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--csv", "form", flag_value="csv", help="Print every figure as a line of CSV.")
@click.option("--latex", "form", flag_value="latex", help="Print the tables for a paper (booktabs).")
@click.option("--markdown", "form", flag_value="markdown", help="Print the tables as Markdown.")
@click.option("--json", "form", flag_value="json", help="Print everything as JSON.")
def compare(
    runs: tuple[str, ...], home: Path, html: Path | None, resamples: int, seed: int, form: str | None
) -> None:
    """Compare runs, each a run folder or the name of a pipeline (its latest run).

    Runs that were evaluated under different protocols stand in separate tables, and the protocol fields in
    which they differ are named. Runs over several seeds are paired over users and seeds.
    """
    from genrec_core.evaluation.compare import compare_runs

    found = compare_runs(_loaded(runs, home), resamples, seed)
    if html is not None:
        from genrec_core.evaluation.report.page import write_comparison

        with _read_by_somebody(html):
            write_comparison(html, found, resamples)
    if form == "json":
        echo_json(found.plain())
    elif form:
        from genrec_core.evaluation.tables import as_csv, as_latex, as_markdown

        echo({"csv": as_csv, "latex": as_latex, "markdown": as_markdown}[form](found), nl=False)
    else:
        _print(found)


def _loaded(names: tuple[str, ...], home: Path) -> list[ComparedRun]:
    """The runs, labelled by their pipelines."""
    from genrec_core.evaluation.compare import load_run, named_apart

    return named_apart([load_run(_folder(name, home)) for name in names])


def _folder(name: str, home: Path) -> Path:
    for folder in (Path(name), Path(name) / "latest", home / name, home / name / "latest"):
        if (folder / "metrics.json").is_file():
            return folder.resolve()
    return Path(name)


def _print(found: Comparison) -> None:
    console = terminal()
    if len(found.tables) > 1:
        console.print(f"[bold]{len(found.tables)} protocols:[/] the tables below must not be read as one.")
        for name, values in found.differing.items():
            listed = "  against  ".join(str(value) for value in values)
            console.print(f"  {name}: {listed}", markup=False, highlight=False)
    for table in found.tables:
        console.print()
        console.print(_metrics_table(table))
        for pair in table.pairs:
            console.print(_pair_table(pair))
        if table.unpaired:
            console.print(f"not paired, because it kept no ranks: {', '.join(table.unpaired)}", markup=False)


def _metrics_table(table: ProtocolTable) -> Printed:
    """Runs, then baselines, by metrics; intervals and deviations over seeds stand below the figures."""
    from rich.text import Text

    from genrec_core.evaluation.report.facts import metric_columns, title

    metrics = metric_columns(table.metrics, coverage=False)
    printed = _grid(Text(f"protocol {table.protocol.get('hash', 'unknown')}"))
    printed.add_column("", overflow="fold")
    for name in metrics:
        printed.add_column(Text(title(name)), justify="right", no_wrap=True)
    for row in table.rows:
        label = row.label if row.seeds == 1 or row.role != "run" else f"{row.label}\n{row.seeds} seeds"
        style = "" if row.role == "run" else "dim"
        printed.add_row(Text(label), *(_cell(row, name) for name in metrics), style=style)
    return printed


def _cell(row: ComparedRow, name: str) -> str:
    if name not in row.metrics:
        return "–"
    lines = [f"{row.metrics[name]:.4f}"]
    if name in row.deviations:
        lines.append(f"[dim]± {row.deviations[name]:.4f}[/]")
    if name in row.intervals:
        low, high = (f"{end:.4f}".replace("0.", ".", 1) for end in row.intervals[name])
        lines.append(f"[dim]{low}–{high}[/]")
    return "\n".join(lines)


def _pair_table(pair: ComparedPair) -> Printed:
    """The paired differences of two runs; bold where the interval leaves zero out."""
    from rich.text import Text

    printed = _grid(Text(f"{pair.ours} against {pair.theirs}\n{pair.test}"))
    printed.add_column("metric", no_wrap=True)
    for name in ("ahead by", "95 % interval", "p"):
        printed.add_column(name, justify="right", no_wrap=True)
    for metric, found in pair.differences.items():
        low, high = found.interval
        style = "bold" if low > 0 or high < 0 else "dim"
        ahead = f"[{style}]{found.difference:+.4f}[/]"
        printed.add_row(metric, ahead, f"{low:+.4f} … {high:+.4f}", f"{found.p:.3f}")
    return printed


def _grid(title: str | Text) -> Printed:
    from rich import box
    from rich.table import Table as Printed

    return Printed(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
