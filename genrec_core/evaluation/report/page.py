"""Pages: the report of a run, and the comparison of several, each one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genrec_core.evaluation.compare import Comparison, ProtocolTable
from genrec_core.evaluation.report.facts import (
    ReportFacts,
    System,
    headline_metric,
    limit_note,
    metric_columns,
    systems_of,
    title,
)
from genrec_core.evaluation.report.figures import count, duration, percent, plain, share
from genrec_core.evaluation.report.rendering import Section, macro, page, section
from genrec_core.evaluation.report.sections import SECTIONS

Figure = dict[str, Any]


def write_report(path: Path, facts: ReportFacts, more: Iterable[Section] = ()) -> None:
    """Write the report of one run to `path`, an HTML file that opens anywhere and asks for nothing.

    Args:
        path: the file.
        facts: what it shows.
        more: sections of plugins, put behind the others.
    """
    sections = [*(one for one in (build(facts) for build in SECTIONS) if one), *more]
    digest = str(facts.metrics.get("protocol", {}).get("hash", ""))
    lead = f"Run {facts.run_id}" + (f" · protocol {digest}" if digest else "")
    lead += f" · {tried}" if (tried := limit_note(facts.metrics)) else ""
    path.write_text(page(facts.name, lead, sections, _figures(facts), facts.made), encoding="utf-8")


def write_comparison(path: Path, comparison: Comparison, resamples: int = 1000) -> None:
    """Write the comparison of several runs to `path`: a section a protocol, with every pair in it."""
    sections = [_runs(number, table, resamples) for number, table in enumerate(comparison.tables, start=1)]
    if comparison.differing:
        sections.insert(0, _differing(comparison))
    runs = sum(len(table.runs) for table in comparison.tables)
    lead = f"{runs} runs under {len(comparison.tables)} protocol" + "s" * (len(comparison.tables) > 1)
    path.write_text(page("Comparison", lead, sections), encoding="utf-8")


def _figures(facts: ReportFacts) -> list[Figure]:
    """Up to four figures to take away: the metric, against the best baseline and the oracle, and the time."""
    figures = [_metric(facts), _against(facts), _oracle(facts), _time(facts)]
    return [one for one in figures if one]


def _figure(label: str, value: str, note: str, *, main: bool = False) -> Figure:
    return {"label": label, "value": value, "note": note, "main": main}


def _metric(facts: ReportFacts) -> Figure | None:
    metric = headline_metric(facts)
    systems = [system for system in systems_of(facts) if metric in system.metrics]
    if not systems:
        return None
    ends = systems[0].intervals.get(metric)
    note = f"95 % between {share(ends[0])} and {share(ends[1])}" if ends else systems[0].label
    return _figure(title(metric), share(systems[0].metrics[metric]), note, main=True)


def _against(facts: ReportFacts) -> Figure | None:
    metric, systems = headline_metric(facts), systems_of(facts)
    rivals = [s for s in systems if s.role == "baseline" and s.metrics.get(metric)]
    if not rivals or systems[0].role != "model":
        return None
    ratio = systems[0].metrics[metric] / rivals[0].metrics[metric]
    return _figure("Against the best baseline", f"{ratio:.2f} ×", f"{rivals[0].label}, the same examples")


def _oracle(facts: ReportFacts) -> Figure | None:
    reached = facts.metrics.get("share_of_oracle", {}).get(headline_metric(facts))
    if reached is None:
        return None
    return _figure("Share of the oracle", percent(reached, 0), "of what anyone could reach on this data")


def _time(facts: ReportFacts) -> Figure:
    seconds = sum(cost.get("seconds", 0.0) for cost in facts.metrics.get("cost", {}).values())
    examples = count(facts.metrics.get("counts", {}).get("test", {}).get("examples", 0))
    if not seconds:
        return _figure("Test examples", examples, "all of them in every denominator")
    return _figure("Time", duration(seconds), f"all stages, {examples} test examples evaluated")


def _differing(comparison: Comparison) -> Section:
    content = macro(
        "compare.html.jinja",
        "differing",
        protocols=[str(table.protocol.get("hash", "")) for table in comparison.tables],
        fields=[(name.replace("_", " "), values) for name, values in comparison.differing.items()],
    )
    lead = "Figures of different protocols answer different questions; they stand in separate tables."
    return section("protocols", "Protocols differ", lead, content)


def _runs(number: int, table: ProtocolTable, resamples: int) -> Section:
    systems = [
        System(
            row.label,
            "" if row.role == "run" else row.role,
            row.metrics,
            row.intervals,
            row.single,
            row.deviations,
        )
        for row in table.rows
    ]
    columns = metric_columns(table.metrics)
    drawn = _deepest(columns)
    content = macro(
        "compare.html.jinja",
        "runs",
        plots=[(title(metric), _dots(systems, metric)) for metric in drawn],
        systems=systems,
        columns=columns,
        pairs=[
            (pair, metric, pair.differences[metric])
            for pair in table.pairs
            for metric in drawn
            if metric in pair.differences
        ],
        unpaired=table.unpaired,
        resamples=resamples,
    )
    lead = f"{plain(table.protocol.get('split', 'unknown split'))}, the same test examples for every run."
    return section(f"table{number}", f"Protocol {table.protocol.get('hash', 'unknown')}", lead, content)


def _dots(systems: list[System], metric: str) -> list[Any]:
    """Runs in the model's colour, baselines in theirs, best first."""
    ranked = sorted((s for s in systems if metric in s.metrics), key=lambda system: -system.metrics[metric])
    return [system.dot(metric, system.role or "model") for system in ranked]


def _deepest(columns: list[str]) -> list[str]:
    """The deepest recall and NDCG, which are drawn."""
    kinds = [[name for name in columns if name.startswith(kind)] for kind in ("recall@", "ndcg@")]
    return [names[-1] for names in kinds if names]
