"""Curves: small line charts in inline SVG, coloured by the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from genrec_core.evaluation.report.facts import Points
from genrec_core.evaluation.report.markup import Markup, tag
from genrec_core.evaluation.report.scale import Scale

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 26
MOST = 240
"""Points drawn at most; a longer curve is thinned, its last point kept."""


def curve(title: str, points: Points) -> Markup:
    """One curve with its axes, its last value named; nothing to draw gives a sentence that says so."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if not finite:
        return tag("figure", tag("figcaption", title), tag("p", "no finite values", class_="quiet"))
    xs, ys = ([point[axis] for point in finite] for axis in (0, 1))
    room = (max(ys) - min(ys)) * 0.08
    across, up = Scale.of(min(xs), max(xs), 4), Scale.of(min(ys) - room, max(ys) + room, 4)
    shown = [(_x(across, x), _y(up, y)) for x, y in _thinned(finite)]
    last = finite[-1][1]
    caption = tag("figcaption", title, tag("b", f"{last:.4g}"))
    picture = tag(
        "svg",
        _grid(across, up),
        tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in shown), class_="line"),
        tag("circle", cx=f"{shown[-1][0]:.1f}", cy=f"{shown[-1][1]:.1f}", r=3.5, class_="end"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{title}, from {finite[0][1]:.4g} to {last:.4g}",
    )
    return tag("figure", caption, picture, class_="curve")


def _grid(across: Scale, up: Scale) -> list[Markup]:
    marks = []
    for tick in up.ticks:
        y = f"{_y(up, tick):.1f}"
        marks.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        marks.append(tag("text", up.label(tick), x=LEFT - 8, y=y, dy="0.32em", text_anchor="end"))
    for tick in across.ticks:
        x = f"{_x(across, tick):.1f}"
        marks.append(tag("text", across.label(tick), x=x, y=HEIGHT - 8, text_anchor="middle"))
    return marks


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    step = -(-len(points) // MOST)
    return points if step == 1 else [*points[:-1:step], points[-1]]


def _x(scale: Scale, value: float) -> float:
    return LEFT + scale.place(value) * (WIDTH - LEFT - RIGHT)


def _y(scale: Scale, value: float) -> float:
    return HEIGHT - BOTTOM - scale.place(value) * (HEIGHT - TOP - BOTTOM)
