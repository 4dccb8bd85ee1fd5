"""Doubtful times: numbers that can be read as times and can hardly be meant so.

Times of one file that no unit explains are refused. What may be right and is odd is counted and said: times
later than tomorrow, and a file of dates that all lie in January 1970, which is what seconds become when they
are read as milliseconds. Small numbers read as seconds are no dates (steps of a made-up log) and not doubted.

    >>> mixed_times(1.7e9, 1.7e10)
    'times lie between 2023 and 2508, as if units were mixed'
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec_core.data.defects import Defects

_EARLY, _RECENT = 1e8, 6e8
"""Times before 1973 and after 1989 in one file: a unit is mixed, or zero stands for an absent time."""
_YEAR_2100 = 4_102_444_800
"""Nothing is bought in this year or later; such times beside earlier ones are of another unit, or stand for
an absent time, as 9999-12-31 in databases. Fixed, so that equal data is refused on any day."""
_DAY = 24 * 3600.0


def mixed_times(earliest: float, latest: float) -> str:
    """Why two times, in seconds, cannot be meant in one unit; empty if they can."""
    if (earliest < _EARLY and latest > _RECENT) or earliest < _YEAR_2100 <= latest:
        return f"times lie between {year(earliest)} and {year(latest)}, as if units were mixed"
    return ""


def year(seconds: float) -> int:
    """The year of a time that `StrictValues.time` took."""
    return datetime.fromtimestamp(seconds, UTC).year


def note_mixed_times(doubt: str, path: Path, defects: Defects) -> None:
    """Note that the times of a file cannot all be meant in one unit."""
    hint = (
        "bring all to one unit; a zero, or a date such as 9999-12-31, that stands for an unknown time must "
        "be left out"
    )
    defects.add(doubt, None, path, hint=hint)


def odd_times(times: NDArray[np.float64], *, dates: bool = False) -> list[tuple[str, int]]:
    """What is odd about times and not refused: (what, how many).

    What lies in the future depends on the day, so this is for people who look at data, not for runs.

    Args:
        times: float64 [n], seconds since 1970.
        dates: whether they are known to be dates, as milliseconds and written dates are.
    """
    if not len(times):
        return []
    latest = float(times.max())
    if dates and latest < 31 * _DAY:
        what = "times, all of them in January 1970: is the unit (`--time-format`) the true one?"
        return [(what, len(times))]
    later = int((times > time.time() + _DAY).sum())
    rest = ", as all times are" if later == len(times) else " beside earlier ones"
    return [(f"times later than tomorrow (up to the year {year(latest)}){rest}", later)] * bool(later)
