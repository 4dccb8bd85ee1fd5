"""Figures as people read them: numbers in words, and charts, what is drawn and where on an axis it stands.

>>> share(0.0612), count(12101), duration(192.4)
('0.0612', '12,101', '3 min 12 s')
>>> Scale.of(0, 0.23).ticks
(0.0, 0.1, 0.2)

Templates write the markup.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

WIDTH, HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 26

_MOST = 240
"""Points of a curve drawn at most; a longer one is thinned, its last point kept."""

Points = Sequence[tuple[float, float]]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, low: float, high: float, wanted: int = 4) -> Scale:
        """An axis that holds both ends, with about `wanted` round ticks inside."""
        if not high > low:
            low, high = low - 0.5, low + 0.5
        rough = (high - low) / wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = min((factor * power for factor in _STEPS), key=lambda size: abs(size - rough))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return cls(low, high, tuple(round(number * step, 12) for number in range(first, last + 1)))

    def place(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`; values outside are drawn at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def percent(self, value: float) -> str:
        """The same as a length in CSS."""
        return f"{self.place(value):.2%}"

    def width(self, low: float, high: float) -> str:
        """How far two values are apart, as a length in CSS."""
        return f"{self.place(high) - self.place(low):.2%}"

    def label(self, tick: float) -> str:
        """A tick as text, with no more digits than it needs."""
        return f"{tick:.6g}"


@dataclass(frozen=True)
class Dot:
    """One row of a dot plot.

    Attributes:
        label: what it is.
        value: where the dot is.
        interval: both ends of the bar behind it.
        role: classes for its colour: `model`, `baseline` or `oracle`.
        note: small print below the label.
        marks: values of single seeds, drawn as small dots.
    """

    label: str
    value: float
    interval: Interval | None
    role: str
    note: str = ""
    marks: tuple[float, ...] = ()

    @property
    def spoken(self) -> str:
        """The row in words, for readers who do not see it."""
        words = f"{self.label or self.note}: {share(self.value)}"
        if self.interval:
            words += f", 95 % interval {share(self.interval[0])} to {share(self.interval[1])}"
        if self.marks:
            words += f", seeds {', '.join(share(mark) for mark in self.marks)}"
        return words


def scale_of(dots: Sequence[Dot]) -> Scale:
    """An axis from zero that holds every interval."""
    ends = (max(dot.value, *(dot.interval or ()), *dot.marks, 0.0) for dot in dots)
    return Scale.of(0.0, max(ends, default=1.0) * 1.04 or 1.0)


@dataclass(frozen=True)
class Bar:
    """One bar: label, length, the length as words, small print, and a second, darker length within it."""

    label: str
    value: float
    text: str
    note: str
    inner: float


@dataclass(frozen=True)
class CurvePlot:
    """A line chart with its axes, in pixels of its own.

    Attributes:
        points: of the line, as SVG writes them.
        end: where the last one stands.
        first: the first value in words.
        last: the last value in words.
        across: place and label of the ticks of the x axis.
        up: the same of the y axis.
    """

    points: str
    end: tuple[str, str]
    first: str
    last: str
    across: tuple[tuple[str, str], ...]
    up: tuple[tuple[str, str], ...]
    size: tuple[int, int] = (WIDTH, HEIGHT)
    left: int = _LEFT
    right: int = WIDTH - _RIGHT

    @classmethod
    def of(cls, points: Points) -> CurvePlot | None:
        """The chart of a curve; None where no point is finite."""
        finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        if not finite:
            return None
        xs, ys = ([point[axis] for point in finite] for axis in (0, 1))
        room = (max(ys) - min(ys)) * 0.08
        across, up = Scale.of(min(xs), max(xs), 4), Scale.of(min(ys) - room, max(ys) + room, 4)
        shown = [(_x(across, x), _y(up, y)) for x, y in _thinned(finite)]
        return cls(
            points=" ".join(f"{x},{y}" for x, y in shown),
            end=shown[-1],
            first=f"{finite[0][1]:.4g}",
            last=f"{finite[-1][1]:.4g}",
            across=tuple((_x(across, tick), across.label(tick)) for tick in across.ticks),
            up=tuple((_y(up, tick), up.label(tick)) for tick in up.ticks),
        )


def _thinned(points: Points) -> Points:
    step = -(-len(points) // _MOST)
    return points if step == 1 else [*points[:-1:step], points[-1]]


def _x(scale: Scale, value: float) -> str:
    return f"{_LEFT + scale.place(value) * (WIDTH - _LEFT - _RIGHT):.1f}"


def _y(scale: Scale, value: float) -> str:
    return f"{HEIGHT - _BOTTOM - scale.place(value) * (HEIGHT - _TOP - _BOTTOM):.1f}"


def share(value: float) -> str:
    """A metric between 0 and 1, four decimals as papers print it."""
    return f"{value:.4f}"


def signed(value: float) -> str:
    """A difference with its sign; a true minus, so that columns line up."""
    return f"{value:+.4f}".replace("-", "−")


def percent(value: float, decimals: int = 1) -> str:
    """A share as per cent."""
    return f"{100 * value:.{decimals}f} %"


def count(value: float) -> str:
    """A whole number with separators."""
    return f"{round(value):,}"


def plain(value: object) -> str:
    """Any value of a protocol or cost record."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value) if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(one)}" for key, one in value.items())
    return "none" if value is None else str(value)


def duration(seconds: float) -> str:
    """Seconds, in the two largest units that say something."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def p_value(p: float, resamples: int) -> str:
    """A p-value, never smaller than the bootstrap can tell."""
    smallest = 2 / (resamples + 1)
    return f"p < {smallest:.3f}" if p <= smallest else f"p = {p:.3f}"
