"""Values: what counts as an id and as a time.

A data folder is read strictly: an id is a non-empty string, a time a finite number of seconds from 1970 on.
`genrec data import` uses the lenient twin, which writes whole numbers as strings and reads other time
formats, and counts what it changed.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Literal

TimeFormat = Literal["seconds", "milliseconds", "iso"]


class UnusableValueError(ValueError):
    """A cell that cannot be used; carries what is wrong and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


class StrictValues:
    """Reads the cells of a data folder."""

    def identity(self, value: Any, column: str) -> str:
        """An id, as it is.

        Raises:
            UnusableValueError: it is absent, empty or not a string.
        """
        if isinstance(value, str) and value.strip():
            return value
        if value is None or isinstance(value, str):
            raise UnusableValueError(f"row has no `{column}`", f"give every row a non-empty `{column}`")
        hint = 'write ids in quotes (`"12"`); `genrec data import` turns numbers into strings'
        raise UnusableValueError(f"`{column}` is not a string", hint)

    def time(self, value: Any, column: str) -> float:
        """Seconds since 1970.

        Raises:
            UnusableValueError: it is absent, not a number, NaN, infinite or negative.
        """
        if value is None or value == "":
            raise UnusableValueError(
                f"row has no `{column}`",
                "give every row a time, or use `sequences.jsonl` if only order is known",
            )
        try:
            seconds = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            hint = "write seconds since 1970; `genrec data import --time-format iso` converts dates"
            raise UnusableValueError(f"`{column}` is not a number", hint) from None
        if not math.isfinite(seconds):
            raise UnusableValueError(
                f"`{column}` is not a finite number", "find the true time or leave the row out"
            )
        if seconds < 0:
            raise UnusableValueError(f"`{column}` is negative", "write seconds since 1970")
        return seconds


class LenientValues(StrictValues):
    """Reads the cells of a table that is being imported.

    Attributes:
        numbers: how many ids were whole numbers and became strings.
    """

    def __init__(self, time_format: TimeFormat = "seconds") -> None:
        self.time_format = time_format
        self.numbers = 0

    def identity(self, value: Any, column: str) -> str:
        """An id; a whole number becomes its decimal string."""
        if isinstance(value, int) and not isinstance(value, bool):
            self.numbers += 1
            return str(value)
        if isinstance(value, float):
            hint = "store ids as text or whole numbers (a column with gaps is often read as decimals)"
            raise UnusableValueError(f"`{column}` is a decimal number", hint)
        return super().identity(value, column)

    def time(self, value: Any, column: str) -> float:
        """Seconds since 1970, from the time format that was chosen; dates without a zone are UTC."""
        if self.time_format == "seconds":
            return super().time(value, column)
        if self.time_format == "milliseconds":
            return super().time(value, column) / 1000
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except (TypeError, ValueError):
            hint = "ISO dates look like 2024-05-01 or 2024-05-01T13:00:00; see --time-format"
            raise UnusableValueError(f"`{column}` is not an ISO date", hint) from None
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return super().time(zoned.timestamp(), column)
