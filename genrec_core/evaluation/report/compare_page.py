"""Compare page: what `genrec compare --html` writes: one section a protocol, and the pairs in each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genrec_core.evaluation.compare import ComparedPair, ComparedRun, Comparison, ProtocolTable
from genrec_core.evaluation.report.accuracy import SHOWN, title
from genrec_core.evaluation.report.dots import Dot, dot_plot
from genrec_core.evaluation.report.markup import Markup, Section, joined, section, tag
from genrec_core.evaluation.report.numbers import p_value, plain, share, signed
from genrec_core.evaluation.report.page import page


def write_comparison(path: Path, comparison: Comparison, resamples: int = 1000) -> None:
    """Write the comparison of several runs as one self-contained HTML file."""
    sections = [_table(number, table, resamples) for number, table in enumerate(comparison.tables, start=1)]
    if comparison.differing:
        sections.insert(0, _differing(comparison))
    runs = sum(len(table.runs) for table in comparison.tables)
    lead = f"{runs} runs under {len(comparison.tables)} protocol" + "s" * (len(comparison.tables) > 1)
    path.write_text(page("Comparison", lead, Markup(""), sections), encoding="utf-8")


def _differing(comparison: Comparison) -> Section:
    digests = [str(table.protocol.get("hash", "")) for table in comparison.tables]
    head = tag("tr", tag("th", "Field"), [tag("th", tag("code", digest)) for digest in digests])
    rows = [
        tag(
            "tr",
            tag("th", name.replace("_", " "), scope="row"),
            [tag("td", plain(v), class_="num") for v in each],
        )
        for name, each in comparison.differing.items()
    ]
    return section(
        "protocols",
        "Protocols differ",
        "Figures of different protocols answer different questions; they stand in separate tables.",
        tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="scroll"),
    )


def _table(number: int, table: ProtocolTable, resamples: int) -> Section:
    columns = [name for name in table.metrics if name.startswith(SHOWN) and "_" not in name]
    return section(
        f"table{number}",
        f"Protocol {table.protocol.get('hash', 'unknown')}",
        f"{plain(table.protocol.get('split', 'unknown split'))}, the same test examples for every run.",
        tag("div", [_plot(name, table) for name in _headlines(columns)], class_="pair"),
        tag("div", _figures(table, columns), class_="scroll"),
        _pairs(table, columns, resamples),
    )


def _headlines(columns: list[str]) -> list[str]:
    """The deepest recall and NDCG, which are drawn."""
    deepest = [[name for name in columns if name.startswith(kind)] for kind in ("recall@", "ndcg@")]
    return [names[-1] for names in deepest if names]


def _plot(metric: str, table: ProtocolTable) -> Markup:
    runs = sorted(table.runs, key=lambda run: -run.metrics.get("test", {}).get(metric, 0.0))
    dots = [
        Dot(run.name, run.metrics["test"][metric], _ends(run, metric), "baseline" if place else "model")
        for place, run in enumerate(runs)
        if metric in run.metrics.get("test", {})
    ]
    return dot_plot(title(metric), dots)


def _figures(table: ProtocolTable, columns: list[str]) -> Markup:
    head = tag("tr", tag("th", "Run"), [tag("th", title(name), class_="num") for name in columns])
    rows = [
        tag("tr", tag("th", run.name, scope="row"), [_cell(run, name) for name in columns])
        for run in table.runs
    ]
    return tag("table", tag("thead", head), tag("tbody", rows), class_="metrics")


def _cell(run: ComparedRun, metric: str) -> Markup:
    test: Mapping[str, Any] = run.metrics.get("test", {})
    if metric not in test:
        return tag("td", "–", class_="num")
    ends = _ends(run, metric)
    bounds = tag("small", f"{share(ends[0])} – {share(ends[1])}") if ends else None
    return tag("td", share(test[metric]), bounds, class_="num")


def _ends(run: ComparedRun, metric: str) -> tuple[float, float] | None:
    found = run.metrics.get("intervals", {}).get("test", {}).get(metric)
    return (found[0], found[1]) if found else None


def _pairs(table: ProtocolTable, columns: list[str], resamples: int) -> Markup | None:
    wanted = _headlines(columns)
    rows = [
        _pair(pair, metric, resamples)
        for pair in table.pairs
        for metric in wanted
        if metric in pair.differences
    ]
    missing = f"Without ranks, so not paired: {', '.join(table.unpaired)}." if table.unpaired else ""
    note = tag("p", missing, class_="quiet") if missing else None
    if not rows:
        return note
    head = tag("tr", [tag("th", name) for name in ("Pair", "Metric", "Ahead by", "95 % interval", "")])
    rows_table = tag("table", tag("thead", head), tag("tbody", rows), class_="compact")
    return joined(
        tag("div", tag("h3", "Pairs"), tag("div", rows_table, class_="scroll"), class_="block"), note
    )


def _pair(pair: ComparedPair, metric: str, resamples: int) -> Markup:
    found = pair.differences[metric]
    low, high = found.interval
    return tag(
        "tr",
        tag("th", f"{pair.ours} against {pair.theirs}", scope="row"),
        tag("td", title(metric), class_="num"),
        tag("td", signed(found.difference), class_="num sure" if low > 0 or high < 0 else "num open"),
        tag("td", f"{signed(low)} to {signed(high)}", class_="num"),
        tag("td", p_value(found.p, resamples), class_="num"),
    )
