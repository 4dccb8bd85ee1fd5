"""Dots: one row a system, a dot for its value and a bar for the 95 % interval, on one axis.

Rows are HTML, not SVG: text keeps its size on a phone and only the track shrinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genrec_core.evaluation.report.markup import Markup, tag
from genrec_core.evaluation.report.numbers import share
from genrec_core.evaluation.report.scale import Scale


@dataclass(frozen=True)
class Dot:
    """One row: a label, a value with its interval, and who it belongs to (`model`, `baseline`, `oracle`)."""

    label: str
    value: float
    interval: tuple[float, float] | None
    role: str
    note: str = ""


def dot_plot(title: str, dots: Sequence[Dot]) -> Markup:
    """Rows of dots under a title, on an axis from zero that holds every interval."""
    scale = Scale.of(0.0, _extent(dots))
    rows = [_row(dot, scale) for dot in dots]
    return tag("figure", tag("figcaption", title), rows, _axis(scale), class_="dots")


def _extent(dots: Sequence[Dot]) -> float:
    return max((dot.interval[1] if dot.interval else dot.value for dot in dots), default=1.0) * 1.04 or 1.0


def _row(dot: Dot, scale: Scale) -> Markup:
    marks = [tag("i", class_="grid", style=f"left:{_at(scale, tick)}") for tick in scale.ticks]
    spoken = f"{dot.label or dot.note}: {share(dot.value)}"
    if dot.interval:
        left, right = (scale.place(end) for end in dot.interval)
        marks.append(tag("i", class_="span", style=f"left:{left:.2%};width:{right - left:.2%}"))
        spoken += f", 95 % interval {share(dot.interval[0])} to {share(dot.interval[1])}"
    marks.append(tag("i", class_="dot", style=f"left:{_at(scale, dot.value)}"))
    return tag(
        "div",
        tag("span", dot.label, tag("small", dot.note) if dot.note else None, class_="who"),
        tag("span", marks, class_="track", role="img", aria_label=spoken),
        tag("span", share(dot.value), class_="value"),
        class_=f"row {dot.role}",
    )


def _axis(scale: Scale) -> Markup:
    ticks = [tag("i", scale.label(tick), style=f"left:{_at(scale, tick)}") for tick in scale.ticks]
    return tag("div", tag("span", class_="who"), tag("span", ticks, class_="axis"), tag("span"), class_="row")


def _at(scale: Scale, value: float) -> str:
    return f"{scale.place(value):.2%}"
