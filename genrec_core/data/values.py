"""Values: what counts as an id, as a text and as a time.

A data folder is read strictly: an id is a non-empty string without spaces around it, a time a number of
seconds from 1970 to the year 9999. `genrec data import` uses the lenient twin, which writes whole numbers as
strings, cuts spaces off ids and reads other time formats, and counts what it changed.

Programs write an absent value as a word: pandas as `nan`, Python as `None`, SQL as `NULL`, R as `NA`.
Such a word is no id: a user called `nan` would be all users who are not known. As a text it is refused too
unless `MissingWords` says otherwise: there is a film called "None", and `NA` is North America in a column of
regions. The English word `none` in small letters is a text (an occupation in MovieLens), and no id either.

    >>> is_missing_word("NaN"), is_missing_word("none"), is_missing_word("Nancy")
    (True, True, False)
    >>> is_missing_word("NA"), is_missing_word("na"), is_missing_word("n/a")
    (True, False, True)
    >>> is_missing_text("NaN"), is_missing_text("none")
    (True, False)
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from genrec_core.contracts.errors import DataError

TimeFormat = str
"""`seconds`, `milliseconds`, `iso`, or a format of `strptime` such as `%d.%m.%Y %H:%M`."""
_NAMED_FORMATS = ("seconds", "milliseconds", "iso")
MissingWords = Literal["refuse", "empty", "keep"]
"""What becomes of `nan`, `None`, `NULL`, `NA` … as text: refused, taken as no text, or kept."""
_MISSING = frozenset({"nan", "none", "null", "<na>", "nat", "n/a", "#n/a", "(null)"})
_MISSING_AS_WRITTEN = frozenset({"NA", "\\N", "undefined"})
"""Such words letter by letter: `na` and `\\n` are something else, and `Undefined` is a title."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = frozenset({"nan", "inf", "-inf", "infinity", "-infinity"})
_LONGEST_INT, _LONGEST_FLOAT = 4_000, 15
"""Digits up to which Python reads an int at once, and a float tells any two texts apart."""
_YEAR_10000 = 253_402_300_800


class UnusableValueError(ValueError):
    """A cell that cannot be used; carries what is wrong and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def is_missing_word(value: Any) -> bool:
    """Whether a value is a word by which programs write an absent value: `nan`, `None`, `NULL`, `NA` …"""
    if not isinstance(value, str):
        return False
    text = value.strip()
    return text.casefold() in _MISSING or text in _MISSING_AS_WRITTEN


def is_missing_text(value: Any) -> bool:
    """Whether a text is such a word, as a program writes it."""
    return is_missing_word(value) and value.strip() != "none"


def exact_number(value: Any) -> int | float | Decimal | None:
    """A number, or one in ASCII digits, without rounding; None for anything else.

    Words such as `nan` and `inf` are floats that are not finite. `1_000` and digits of other scripts, which
    Python would take, are none.

        >>> exact_number("1234567890123456789"), exact_number("1_000"), exact_number(" 2.5 ")
        (1234567890123456789, None, 2.5)
    """
    if isinstance(value, (int, float, Decimal)):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.casefold() in _NOT_FINITE:
        return float(text)
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit() and len(text) <= _LONGEST_INT:
        return int(text)
    if len(text) <= _LONGEST_FLOAT and "e" not in text.casefold():
        return float(text)
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        return math.inf


class StrictValues:
    """Reads the cells of a data folder."""

    def identity(self, value: Any, column: str) -> str:
        """An id, as it is.

        Raises:
            UnusableValueError: it is absent, empty, not a string, a word for an absent value, or has spaces
                around it.
        """
        if isinstance(value, str) and value.strip():
            if is_missing_word(value):
                hint = "leave such rows out, or give them the true id"
                raise UnusableValueError(f"`{column}` is a word for a missing value", hint)
            if value != value.strip():
                hint = "`u1` and `u1 ` would be two; cut the space off (`genrec data import` does)"
                raise UnusableValueError(f"`{column}` begins or ends with a space", hint)
            return value
        if value is None or isinstance(value, str) or value != value:
            raise UnusableValueError(f"row has no `{column}`", f"give every row a non-empty `{column}`")
        hint = 'write ids in quotes (`"12"`); `genrec data import` turns numbers into strings'
        raise UnusableValueError(f"`{column}` is not a string", hint)

    def time(self, value: Any, column: str) -> float:
        """Seconds since 1970.

        Raises:
            UnusableValueError: it is absent, not a number, NaN, infinite, negative or after the year 9999.
        """
        seconds = _number(value, column)
        if seconds < 0:
            raise UnusableValueError(f"`{column}` is negative", "write seconds since 1970")
        if seconds >= _YEAR_10000:
            hint = (
                "seconds are expected here; milliseconds have three digits more: convert them, or import "
                "the table with `--time-format milliseconds`"
            )
            raise UnusableValueError(f"`{column}` is after the year 9999", hint)
        return seconds


def _number(value: Any, column: str) -> float:
    """A finite number, from a number or from a text of ASCII digits."""
    if value is None or value == "" or (is_missing_word(value) and str(value).casefold() != "nan"):
        raise UnusableValueError(
            f"row has no `{column}`",
            "give every row a time, or use `sequences.jsonl` if only order is known",
        )
    exact = math.nan if isinstance(value, bool) else exact_number(value)
    try:
        if exact is None:
            raise ValueError
        number = float(exact)
    except (ValueError, OverflowError):
        hint = "write seconds since 1970; `genrec data import --time-format iso` converts dates"
        raise UnusableValueError(f"`{column}` is not a number", hint) from None
    if not math.isfinite(number):
        raise UnusableValueError(
            f"`{column}` is not a finite number", "find the true time or leave the row out"
        )
    return number


def _refuse_twice(time_format: TimeFormat) -> None:
    try:
        datetime.strptime("", time_format)
    except ValueError:
        pass  # no time is empty
    except (re.error, LookupError) as error:
        raise DataError(
            f"`{time_format}` is no time format: it names a part of a time twice",
            where="--time-format",
            hint="write each part once, as in %d.%m.%Y %H:%M",
        ) from error


class LenientValues(StrictValues):
    """Reads the cells of a table that is being imported.

    Args:
        time_format: how times are written.

    Attributes:
        numbers: how many ids were whole numbers and became strings.
        spaces: how many ids had spaces around them, which were cut off.

    Raises:
        DataError: there is no such time format, or one names a part of a time twice.
    """

    def __init__(self, time_format: TimeFormat = "seconds") -> None:
        if "%" in time_format:
            _refuse_twice(time_format)
        elif time_format not in _NAMED_FORMATS:
            hint = f"known are {', '.join(_NAMED_FORMATS)}, and formats such as %d.%m.%Y"
            raise DataError(f"`--time-format {time_format}` is no time format", hint=hint)
        self.time_format = time_format
        self.numbers = 0
        self.spaces = 0

    def identity(self, value: Any, column: str) -> str:
        """An id; a whole number becomes its decimal string, spaces around a text are cut off."""
        if isinstance(value, int) and not isinstance(value, bool):
            self.numbers += 1
            return str(value)
        if isinstance(value, float) and value == value:
            hint = "store ids as text or whole numbers (a column with gaps is often read as decimals)"
            raise UnusableValueError(f"`{column}` is a decimal number", hint)
        if isinstance(value, str) and value != value.strip():
            self.spaces += 1
            value = value.strip()
        return super().identity(value, column)

    def time(self, value: Any, column: str) -> float:
        """Seconds since 1970, from the time format that was chosen; dates without a zone are UTC."""
        if self.time_format == "seconds":
            return super().time(value, column)
        if self.time_format == "milliseconds":
            return super().time(_number(value, column) / 1000, column)
        written = self.time_format if "%" in self.time_format else ""
        try:
            if written and isinstance(value, str):
                value = datetime.strptime(value.strip(), written)
            if isinstance(value, date) and not isinstance(value, datetime):
                value = datetime.combine(value, time())
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return super().time(zoned.timestamp(), column)
        except UnusableValueError:
            raise
        except (TypeError, ValueError, OverflowError):
            if written:
                hint = "see --time-format: %d day, %m month, %Y year, %H hour, %M minute, %S second"
                raise UnusableValueError(f"`{column}` is not written as `{written}`", hint) from None
            hint = "ISO dates look like 2024-05-01 or 2024-05-01T13:00:00; see --time-format"
            raise UnusableValueError(f"`{column}` is not an ISO date", hint) from None
