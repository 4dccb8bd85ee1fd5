"""The tables that a run ends with: who found how much, and what it cost.

Figures are read from `metrics.json`, so a run can be shown again at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from genrec_core.evaluation.report.facts import (
    ReportFacts,
    System,
    headline_metric,
    metric_columns,
    short_rows_note,
    systems_of,
    title,
)
from genrec_core.evaluation.report.figures import count, duration, percent, share
from genrec_core.pipeline.console import terminal
from genrec_core.pipeline.plan import Entry
from genrec_core.pipeline.run_folder import REPORT


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


def print_plan(entries: Sequence[Entry]) -> None:
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
            table.add_column("± std" if "seeds" in facts.metrics else "95 % interval", no_wrap=True)
    for system in systems:
        cells: list[str] = []
        for column in columns:
            cells.append(share(system.metrics[column]) if column in system.metrics else "–")
            if column == headline:
                cells.append(_around(system, column, facts.metrics))
        table.add_row(escape(system.label), *cells, style="bold" if system.role == "model" else "")
    return table


def _around(system: System, metric: str, metrics: Mapping[str, Any]) -> str:
    ends = system.intervals.get(metric)
    if ends:
        return f"{ends[0]:.3f} – {ends[1]:.3f}"
    spread = metrics.get("spread", {}).get("test", {}) if system.role == "model" else {}
    return f"{spread[metric]['std']:.4f}" if metric in spread else ""


def _remarks(facts: ReportFacts) -> list[str]:
    metrics, metric = facts.metrics, headline_metric(facts)
    lines = []
    if "seeds" in metrics:
        lines.append(f"means of {len(metrics['seeds'])} seeds, ± one standard deviation")
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
