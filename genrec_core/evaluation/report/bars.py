"""Bars: horizontal bars with their values written beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genrec_core.evaluation.report.markup import Markup, tag


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: what it is.
        value: its length, in the unit of all bars of one chart.
        text: the value as words.
        role: a class for its colour.
        note: small print below the label.
        inner: a second, darker length within the bar.
    """

    label: str
    value: float
    text: str
    role: str = ""
    note: str = ""
    inner: float | None = None


def bar_chart(bars: Sequence[Bar], longest: float | None = None, caption: str = "") -> Markup:
    """Bars below each other; `longest` fills the width (the largest value by default)."""
    full = longest or max((bar.value for bar in bars), default=0.0) or 1.0
    rows = [_row(bar, full) for bar in bars]
    return tag("figure", tag("figcaption", caption) if caption else None, rows, class_="bars")


def _row(bar: Bar, full: float) -> Markup:
    inner = None if bar.inner is None else tag("i", class_="inner", style=f"width:{bar.inner / full:.2%}")
    track = [tag("i", class_="bar", style=f"width:{bar.value / full:.2%}"), inner]
    return tag(
        "div",
        tag("span", bar.label, tag("small", bar.note) if bar.note else None, class_="who"),
        tag("span", track, class_="track"),
        tag("span", bar.text, class_="value"),
        class_=f"row {bar.role}".strip(),
    )
