"""Numbers as people read them.

>>> share(0.0612), count(12101), duration(192.4)
('0.0612', '12,101', '3 min 12 s')
"""

from __future__ import annotations


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
