"""Ordering: events into sequences, with ties and duplicates named.

Two events of one user at the same second have no true order. They are ordered by the tie key where one is
given, else by their place in the file, and counted either way, because the last item of a user, the one a
leave-one-out test asks for, may hang on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Sequences
from genrec_core.data.events import Events
from genrec_core.data.problems import Problems

Duplicates = Literal["refuse", "keep", "drop-exact"]
"""What becomes of rows with the same user, item and time as an earlier row."""
Codes = NDArray[np.int32] | NDArray[np.int64]


def in_time_order(events: Events) -> NDArray[np.int64]:
    """Row numbers by user, then time, then tie key, then place in the file; int64 [n]."""
    keys = (events.time, events.user) if events.tie is None else (events.tie, events.time, events.user)
    return np.lexsort(keys).astype(np.int64, copy=False)


def count_ties(user: Codes, time: NDArray[np.float64]) -> int:
    """How many events share user and time with another one; both arrays are [n]."""
    _, same = _neighbours(user, time)
    tied = np.zeros(len(user), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    return int(tied.sum())


def exact_duplicates(user: Codes, item: Codes, time: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which events repeat user, item and time of an earlier one, bool [n]; all arrays are [n]."""
    order, same = _neighbours(user, time, item)
    repeated = np.zeros(len(user), dtype=bool)
    repeated[order[1:]] = same
    return repeated


def _neighbours(*columns: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A stable sorting order by the columns, and whether each row but the first equals the one before it."""
    order = np.lexsort(columns[::-1])
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in columns:
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    return order, same


def resolve_duplicates(
    events: Events, policy: Duplicates, path: Path, problems: Problems
) -> tuple[Events, list[str]]:
    """Events after the policy, and a note with the count when there was anything to decide."""
    repeated = exact_duplicates(events.user, events.item, events.time)
    count = int(repeated.sum())
    if not count:
        return events, []
    if policy == "refuse":
        hint = "choose `duplicates: drop-exact` (keeps the first), or `duplicates: keep` if all are meant"
        for row in np.flatnonzero(repeated):
            value = (
                f"{events.users[events.user[row]]} {events.items[events.item[row]]} {events.time[row]:.15g}"
            )
            problems.add(
                "row repeats an earlier one (user, item, time)", value, path, int(events.line[row]), hint
            )
        return events, []
    if policy == "keep":
        return events, [f"{count:,} interactions repeat an earlier one (user, item, time) and were kept"]
    note = f"{count:,} interactions repeated an earlier one (user, item, time) and were dropped"
    return events.kept(~repeated), [note]


def sequences_of(events: Events, user_count: int) -> tuple[Sequences, NDArray[np.float64], NDArray[np.int64]]:
    """Sequences by user code, the times beside their values, and the row order that made them."""
    order = in_time_order(events)
    offsets = np.zeros(user_count + 1, dtype=np.int64)
    np.cumsum(np.bincount(events.user, minlength=user_count), out=offsets[1:])
    return Sequences(events.item[order], offsets), events.time[order], order
