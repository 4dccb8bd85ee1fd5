"""Bands: the headline metric on parts of the test examples, model and best baseline side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec_core.evaluation.evaluate import MODEL_SYSTEM, ORACLE
from genrec_core.evaluation.report.accuracy import title
from genrec_core.evaluation.report.dots import Dot, dot_plot
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Markup, Section, section, tag
from genrec_core.evaluation.report.numbers import count
from genrec_core.evaluation.report.systems import headline_metric, short

GROUPS = {
    "history": ("Length of history", "{} items"),
    "popularity": ("Popularity of the target", "{}"),
    "target": ("Target in training", "{}"),
    "domain": ("Domain", "{}"),
}


def bands_section(facts: ReportFacts) -> Section | None:
    """One plot for each group of bands that has more than one band."""
    groups = {
        name: bands
        for name, bands in facts.metrics.get("slices", {}).items()
        if len(bands) > 1 and name in GROUPS
    }
    if not groups:
        return None
    metric = headline_metric(facts)
    names = _shown(facts, metric)
    plots = [_plot(name, bands, metric, names, facts) for name, bands in groups.items()]
    who = " and ".join(_label(name, facts) for name in names)
    return section(
        "slices",
        "Who is served",
        f"{title(metric)} of {who} on parts of the test examples; n is how many each holds.",
        tag("div", plots, class_="pair"),
    )


def _shown(facts: ReportFacts, metric: str) -> list[str]:
    baselines = facts.metrics.get("baselines", {})
    rivals = sorted(
        (name for name in baselines if name != ORACLE), key=lambda name: -baselines[name].get(metric, 0.0)
    )
    return [*([MODEL_SYSTEM] if facts.metrics.get("test") else []), *rivals[:1]]


def _plot(group: str, bands: Mapping[str, Any], metric: str, names: list[str], facts: ReportFacts) -> Markup:
    heading, pattern = GROUPS[group]
    dots = [
        Dot(
            label=pattern.format(band.replace("-", "–")) if position == 0 else "",
            value=entry["systems"][name][metric],
            interval=_ends(entry["intervals"].get(name, {}), metric),
            role=("model" if name == MODEL_SYSTEM else "baseline") + ("" if position else " first"),
            note=f"n = {count(entry['n'])}" if position == 0 else _label(name, facts),
        )
        for band, entry in bands.items()
        for position, name in enumerate(names)
        if metric in entry["systems"].get(name, {})
    ]
    return dot_plot(heading, dots)


def _ends(intervals: Mapping[str, Any], metric: str) -> tuple[float, float] | None:
    return (intervals[metric][0], intervals[metric][1]) if metric in intervals else None


def _label(name: str, facts: ReportFacts) -> str:
    return facts.name if name == MODEL_SYSTEM else short(name)
