"""The sequence file: `sequences.jsonl[.gz]`, one line a user with that user's items in time order.

    {"user_id": "u1", "item_ids": ["a", "b"], "timestamps": [10, 20]}

`timestamps` is optional, for all users or for none.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Sequences
from genrec_core.data.defects import Defects
from genrec_core.data.doubtful_times import mixed_times, note_mixed_times
from genrec_core.data.events import note_unknown_item
from genrec_core.data.lines import records
from genrec_core.data.values import StrictValues, UnusableValueError


@dataclass(frozen=True)
class UserSequences:
    """Users with their sequences; times are None when the file has no timestamps."""

    users: tuple[str, ...]
    sequences: Sequences
    times: NDArray[np.float64] | None


def read_sequences(path: Path, catalogue: Mapping[str, int] | None, defects: Defects) -> UserSequences:
    """All sound lines; without a catalogue (it was broken itself) items are not looked up."""
    users: dict[str, int] = {}
    values, offsets, times = array("i"), array("q", [0]), array("d")
    timed = 0
    for line, record in records(path, defects):
        place = (path, line)
        user = _user(record, users, place, defects)
        row = item_row(record.get("item_ids"), "item_ids", catalogue, place, defects)
        moments = _timestamps(record, place, defects)
        if user is None or row is None:
            continue
        users[user] = line
        values.extend(row)
        offsets.append(len(values))
        if record.get("timestamps") is not None:
            timed += 1
            times.extend(moments)
    if timed and timed != len(users) and not defects.concern(path):
        what, hint = "some users have `timestamps` and others have none", "give them to every user or to none"
        defects.add(what, f"{timed} of {len(users)}", path, hint=hint)
    if len(times) and (doubt := mixed_times(min(times), max(times))):
        note_mixed_times(doubt, path, defects)
    sequences = Sequences(np.array(values, np.int32), np.array(offsets, np.int64))
    return UserSequences(tuple(users), sequences, np.array(times, np.float64) if timed else None)


def item_row(
    ids: Any, column: str, catalogue: Mapping[str, int] | None, place: tuple[Path, int], defects: Defects
) -> list[int] | None:
    """A list of item ids as indices; None when it is defective, which is noted."""
    if not isinstance(ids, list) or not ids:
        what = f"`{column}` is empty" if ids == [] else f"`{column}` is not a list of item ids"
        defects.add(what, ids or "", *place, hint=f"`{column}` needs at least one item id; or remove the row")
        return None
    wrong = next((item for item in ids if not isinstance(item, str)), None)
    if wrong is not None or None in ids:
        defects.add(
            f"`{column}` holds an id that is not a string", wrong, *place, hint='write `"12"`, not `12`'
        )
        return None
    if catalogue is None:
        return [0] * len(ids)
    row = [catalogue.get(item, -1) for item in ids]
    if min(row) >= 0:
        return row
    for item, index in zip(ids, row, strict=True):
        if index < 0:
            note_unknown_item(item, *place, defects)
    return None


def _user(
    record: dict[str, Any], users: Mapping[str, int], place: tuple[Path, int], defects: Defects
) -> str | None:
    try:
        user = StrictValues().identity(record.get("user_id"), "user_id")
    except UnusableValueError as error:
        defects.add(error.what, record.get("user_id"), *place, hint=error.hint)
        return None
    if user in users:
        hint = f"line {users[user]} has this user already; join the two in time order"
        defects.add("user has two sequences", user, *place, hint=hint)
        return None
    return user


def _timestamps(record: dict[str, Any], place: tuple[Path, int], defects: Defects) -> list[float]:
    moments = record.get("timestamps")
    if moments is None:
        return []
    ids = record.get("item_ids")
    if not isinstance(moments, list) or not isinstance(ids, list) or len(moments) != len(ids):
        defects.add(
            "`timestamps` is not a list as long as `item_ids`", moments, *place, hint="one time an item"
        )
        return []
    try:
        seconds = [StrictValues().time(moment, "timestamps") for moment in moments]
    except UnusableValueError as error:
        defects.add(error.what, moments, *place, hint=error.hint)
        return []
    if any(later < earlier for earlier, later in pairwise(seconds)):
        defects.add("`timestamps` go back in time", moments, *place, hint="sort the user's items by time")
    return seconds
