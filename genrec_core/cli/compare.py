"""`genrec compare`: finished runs beside each other, with intervals and paired differences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genrec_core.pipeline.console import echo_json, terminal

if TYPE_CHECKING:
    from rich.table import Table as Printed
    from rich.text import Text

    from genrec_core.evaluation.compare import ComparedPair, ComparedRun, Comparison, ProtocolTable

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...")
@click.option("--runs", "home", type=_PATH, default=Path("runs"), show_default=True, help="Where runs lie.")
@click.option("--html", type=_PATH, help="Also write the comparison as an HTML page.")
@click.option("--resamples", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def compare(
    runs: tuple[str, ...], home: Path, html: Path | None, resamples: int, seed: int, as_json: bool
) -> None:
    """Compare runs, each a run folder or the name of a pipeline (its latest run).

    Runs that were evaluated under different protocols stand in separate tables, and the protocol fields in
    which they differ are named.
    """
    from genrec_core.evaluation.compare import compare_runs

    found = compare_runs(_loaded(runs, home), resamples, seed)
    if html is not None:
        from genrec_core.evaluation.report.page import write_comparison

        write_comparison(html, found, resamples)
    if as_json:
        echo_json(found.plain())
        return
    _print(found)


def _loaded(names: tuple[str, ...], home: Path) -> list[ComparedRun]:
    """The runs, named as shortly as keeps them apart."""
    from genrec_core.evaluation.compare import load_run

    folders = [_folder(name, home) for name in names]
    labels = [_label(folder) for folder in folders]
    return [
        load_run(folder, label if labels.count(label) == 1 else f"{label} ({place})")
        for place, (folder, label) in enumerate(zip(folders, labels, strict=True), start=1)
    ]


def _folder(name: str, home: Path) -> Path:
    for folder in (Path(name), Path(name) / "latest", home / name, home / name / "latest"):
        if (folder / "metrics.json").is_file():
            return folder.resolve()
    return Path(name)


def _label(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}" if folder.parent.name else folder.name


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
    """Metrics by runs, which fits a terminal better than the other way round; intervals stand below."""
    from rich.text import Text

    printed = _grid(f"protocol {table.protocol.get('hash', 'unknown')}")
    printed.add_column("metric", no_wrap=True)
    for run in table.runs:
        printed.add_column(Text(run.name), justify="right", overflow="fold")
    for name in table.metrics:
        if name.startswith(("recall@", "ndcg@", "mrr")):
            printed.add_row(name, *(_cell(run.metrics, name) for run in table.runs))
    return printed


def _cell(metrics: Any, name: str) -> str:
    value = metrics.get("test", {}).get(name)
    if value is None:
        return "–"
    ends = metrics.get("intervals", {}).get("test", {}).get(name)
    return f"{value:.4f}" + (f"\n[dim]{ends[0]:.4f}–{ends[1]:.4f}[/]" if ends else "")


def _pair_table(pair: ComparedPair) -> Printed:
    """The paired differences of two runs; bold where the interval leaves zero out."""
    from rich.text import Text

    printed = _grid(Text(f"{pair.ours} against {pair.theirs}, paired"))
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
