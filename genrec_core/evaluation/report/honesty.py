"""Honesty: what became of the candidates, and what counting identifiers instead of items would have said."""

from __future__ import annotations

from collections.abc import Mapping

from genrec_core.evaluation.report.accuracy import title
from genrec_core.evaluation.report.dots import Dot, dot_plot
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Markup, Section, section, tag
from genrec_core.evaluation.report.numbers import count, percent
from genrec_core.evaluation.report.systems import headline_metric


def honesty_section(facts: ReportFacts) -> Section | None:
    """The inflated figure beside the honest one, and the valid and direct rates with their denominators."""
    test = facts.metrics.get("test", {})
    if f"{headline_metric(facts)}_inflated" not in test and "vr@" not in "".join(test):
        return None
    return section(
        "honesty",
        "What was counted",
        "A hit is the item itself. Counting every item that shares its identifier would inflate the figure; "
        "candidates that reach no item are dropped, never replaced.",
        tag("div", _inflated(facts), _rates(facts), class_="pair"),
    )


def _inflated(facts: ReportFacts) -> Markup | None:
    metric = headline_metric(facts)
    test, ends = facts.metrics.get("test", {}), facts.metrics.get("intervals", {}).get("test", {})
    inflated = f"{metric}_inflated"
    if inflated not in test:
        return None
    dots = [
        Dot("honest", test[metric], _ends(ends, metric), "model", "the item itself"),
        Dot("inflated", test[inflated], _ends(ends, inflated), "baseline", "its identifier"),
    ]
    return dot_plot(f"{title(metric)}, two ways to count", dots)


def _ends(intervals: Mapping[str, list[float]], metric: str) -> tuple[float, float] | None:
    return (intervals[metric][0], intervals[metric][1]) if metric in intervals else None


def _rates(facts: ReportFacts) -> Markup | None:
    counted = facts.metrics.get("counts", {}).get("test", {})
    test = facts.metrics.get("test", {})
    rows = []
    for k in facts.metrics.get("settings", {}).get("at", []):
        if f"vr@{k}" in test:
            rows.append(_rate(f"VR@{k}", "valid", test[f"vr@{k}"], counted, f"direct@{k}", f"candidates@{k}"))
        if f"dhr@{k}" in test:
            rows.append(
                _rate(f"DHR@{k}", "direct", test[f"dhr@{k}"], counted, f"direct@{k}", f"grounded@{k}")
            )
    if not rows:
        return None
    invalid = f"{count(counted.get('invalid', 0))} of {count(counted.get('candidates', 0))} candidates"
    rows.append(tag("tr", tag("th", "Invalid", scope="row"), tag("td", ""), tag("td", invalid, class_="num")))
    return tag("table", tag("caption", "Candidates"), tag("tbody", rows), class_="compact")


def _rate(name: str, word: str, value: float, counted: Mapping[str, int], top: str, bottom: str) -> Markup:
    return tag(
        "tr",
        tag("th", name, tag("small", word), scope="row"),
        tag("td", percent(value, 2), class_="num"),
        tag("td", f"{count(counted.get(top, 0))} of {count(counted.get(bottom, 0))}", class_="num"),
    )
