"""Numbers on command lines: ASCII digits, and a range with both ends.

Python reads `1_000`, digits of other scripts and numbers without end as numbers; arrays and bootstraps of
that size keep a command waiting for ever, or end it where nobody expects it.
"""

from __future__ import annotations

import re
from typing import Any

import click

MOST_COUNTED = 2**31 - 1
"""Users, items and seeds are counted in 32 bits."""
MOST_ITEMS = 100_000
"""Items that one request may ask for, and users that are asked for together."""
_WHOLE = re.compile("[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,300}\.?[0-9]{0,300}|\.[0-9]{1,300})([eE][+-]?[0-9]{1,3})?")


class Whole(click.IntRange):
    """A whole number from `min` to `max`."""

    def __init__(self, min: int, max: int) -> None:
        super().__init__(min, max)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        return super().convert(_ascii(self, value, _WHOLE, param, ctx), param, ctx)


class Decimal(click.FloatRange):
    """A number from `min` to `max`, with `min_open` above `min`."""

    def __init__(self, min: float, max: float, *, min_open: bool = False) -> None:
        super().__init__(min, max, min_open)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        return super().convert(_ascii(self, value, _DECIMAL, param, ctx), param, ctx)


def _ascii(
    kind: Whole | Decimal,
    value: Any,
    form: re.Pattern[str],
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Any:
    if isinstance(value, str) and not form.fullmatch(value.strip()):
        shown = value if len(value) <= 40 else f"{value[:39]}…"
        kind.fail(f"{shown!r} is no number from {kind.min} to {kind.max}.", param, ctx)
    return value
