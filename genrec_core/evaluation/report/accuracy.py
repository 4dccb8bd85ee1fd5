"""Accuracy: every system on the same examples, drawn and in numbers, and the paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec_core.evaluation.report.dots import dot_plot
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Markup, Section, section, tag
from genrec_core.evaluation.report.numbers import count, p_value, share, signed
from genrec_core.evaluation.report.systems import System, headline_metric, short, systems_of

SHOWN = ("recall@", "ndcg@", "mrr", "coverage@")


def accuracy_section(facts: ReportFacts) -> Section | None:
    """Two plots, the table, and the differences to each baseline."""
    systems = systems_of(facts)
    if not systems:
        return None
    examples = facts.metrics.get("counts", {}).get("test", {}).get("examples", 0)
    return section(
        "accuracy",
        "Accuracy",
        f"{count(examples)} test examples, none left out. Bars are 95 % bootstrap intervals.",
        tag("div", _plots(facts, systems), class_="pair"),
        _table(systems),
        _differences(facts),
    )


def _plots(facts: ReportFacts, systems: Sequence[System]) -> list[Markup]:
    metrics = (headline_metric(facts, "recall"), headline_metric(facts, "ndcg"))
    return [
        dot_plot(title(metric), [system.dot(metric) for system in systems if metric in system.metrics])
        for metric in metrics
        if any(metric in system.metrics for system in systems)
    ]


def title(metric: str) -> str:
    """A metric's name as it is printed: `Recall@10`, `NDCG@5`, `MRR`."""
    name, _, k = metric.partition("@")
    word = {"ndcg": "NDCG", "mrr": "MRR", "vr": "VR", "dhr": "DHR"}.get(name, name.capitalize())
    return f"{word}@{k}" if k else word


def _table(systems: Sequence[System]) -> Markup:
    columns = [name for name in systems[0].metrics if name.startswith(SHOWN) and "_" not in name]
    head = tag("tr", tag("th", "System"), [tag("th", title(name), class_="num") for name in columns])
    rows = [
        tag(
            "tr",
            tag("th", system.label, scope="row"),
            [_cell(system, name) for name in columns],
            class_=system.role,
        )
        for system in systems
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), id="metrics")
    return tag("div", table, class_="scroll")


def _cell(system: System, metric: str) -> Markup:
    if metric not in system.metrics:
        return tag("td", "–", class_="num")
    ends = system.intervals.get(metric)
    bounds = tag("small", f"{share(ends[0])} – {share(ends[1])}") if ends else None
    return tag("td", share(system.metrics[metric]), bounds, class_="num")


def _differences(facts: ReportFacts) -> Markup | None:
    metric = headline_metric(facts)
    resamples = facts.metrics.get("settings", {}).get("resamples", 1000)
    rows = [
        _difference(short(name), found[metric], resamples)
        for name, found in facts.metrics.get("comparisons", {}).items()
        if metric in found
    ]
    if not rows:
        return None
    head = tag(
        "tr",
        [tag("th", name) for name in (f"Difference in {title(metric)}", "Ahead by", "95 % interval", "")],
    )
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="compact")
    caption = tag("h3", "Paired with each baseline")
    return tag("div", caption, tag("div", table, class_="scroll"), class_="block")


def _difference(name: str, found: Mapping[str, Any], resamples: int) -> Markup:
    difference, ends, p = (found[key] for key in ("difference", "interval", "p"))
    clear = "sure" if ends[0] > 0 or ends[1] < 0 else "open"
    return tag(
        "tr",
        tag("th", f"against {name}", scope="row"),
        tag("td", signed(difference), class_=f"num {clear}"),
        tag("td", f"{signed(ends[0])} to {signed(ends[1])}", class_="num"),
        tag("td", p_value(p, resamples), class_="num"),
    )
