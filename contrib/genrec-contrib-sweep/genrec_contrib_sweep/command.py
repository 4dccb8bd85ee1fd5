"""`genrec sweep`: a pipeline with several values of some options, selected by validation rows.

genrec sweep pipeline.yaml --over train.sft.learning_rate=1e-3,2e-3 --over tokenizer.codes=64,256
genrec sweep pipeline.yaml --over train.sft.learning_rate=log:1e-4..1e-2 --optuna 30 --seeds 1,2,3
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genrec_core.cli.environment import JSON, SET, StoreAndRuns, environment, folders
from genrec_core.pipeline.console import echo, echo_json, terminal
from genrec_core.pipeline.numbers import Whole

if TYPE_CHECKING:
    from genrec_contrib_sweep.sweeping import Swept


@click.command()
@click.argument("pipeline", type=click.Path(path_type=Path))
@click.option(
    "--over", "overs", multiple=True, required=True, metavar="PATH=VALUES",
    help="An option and its values, commas between; with --optuna also a range: 1e-4..1e-2, log:1e-4..1e-2.",
)  # fmt: skip
@click.option("--optuna", "trials", type=Whole(2, 1_000_000), help="Let optuna propose so many.")
@click.option("--metric", default="", metavar="NAME", help="Of validation rows; by default NDCG@10.")
@click.option("--seeds", default="", metavar="1,2,3", help="Judge each trial by its mean over these.")
@SET
@folders
@JSON
def sweep(
    pipeline: Path,
    overs: tuple[str, ...],
    trials: int | None,
    metric: str,
    seeds: str,
    changes: tuple[str, ...],
    place: StoreAndRuns,
    as_json: bool,
) -> None:
    """Try PIPELINE with every combination of values, or with what optuna proposes.

    Trials are selected by validation rows; test rows are answered once, by the selected one. Stages that
    trials share are made once. A sweep that was stopped goes on when the same command is given again.
    """
    from genrec_contrib_sweep.space import parse_over
    from genrec_contrib_sweep.sweeping import SweepRequest, run_sweep
    from genrec_core.cli.run import seeds_of

    tried = tuple(parse_over(text) for text in overs)
    request = SweepRequest(pipeline, tried, changes, trials or 0, metric, seeds_of(seeds))
    swept = run_sweep(request, environment(place, quiet=as_json))
    if as_json:
        echo_json({"sweep": str(swept.folder), **swept.plain()})
        return
    _print(swept)


def _print(swept: Swept) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from genrec_contrib_sweep.page import short_options
    from genrec_core.evaluation.report.facts import title
    from genrec_core.evaluation.report.figures import duration, plain

    several = any(one.deviation for one in swept.trials)
    heading = f"validation {title(swept.metric)}"
    table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("trial", justify="right", no_wrap=True)
    for column in short_options(swept.trials[0].values):
        table.add_column(escape(column), justify="right", overflow="fold")
    for column in (title(swept.metric), *(["± std"] * several), "behind", "95 % interval", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in swept.trials:
        values = [escape(plain(value)) for value in one.values.values()]
        if one.failed:
            table.add_row(str(one.number), *values, "failed")
            continue
        lead = swept.behind.get(one.number)
        behind = f"{lead.difference:.4f}" if lead else ""
        ends = f"{lead.interval[0]:+.4f} … {lead.interval[1]:+.4f}" if lead else ""
        figures = [f"{one.metrics[swept.metric]:.4f}", *([f"{one.deviation:.4f}"] * several)]
        style = "bold" if one is swept.selected else ""
        table.add_row(str(one.number), *values, *figures, behind, ends, duration(one.seconds), style=style)
    terminal().print(table)
    for one in swept.trials:
        if one.failed:
            echo(f"trial {one.number} failed: {one.failed}")
    test = swept.finished.metrics.get("test", {}).get(swept.metric)
    echo(f"selected: trial {swept.selected.number}; test {title(swept.metric)} {test:.4f}")
    echo(f"sweep   {swept.folder}")
    echo(f"report  {swept.folder / 'report.html'}")
    echo(f"run     {swept.finished.folder}")
