"""Events: rows of (user, item, time) read into flat columns.

Ids become numbers while reading, so that ten million rows cost about twenty bytes each.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import DataError
from genrec_core.data.defects import Defects
from genrec_core.data.doubtful_times import mixed_times, note_mixed_times
from genrec_core.data.tables import TableFormat, table_rows
from genrec_core.data.values import StrictValues, UnusableValueError, exact_number


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what; `tie` and `rating` may be empty."""

    user: str = "user_id"
    item: str = "item_id"
    time: str = "timestamp"
    tie: str = ""
    rating: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns to read, in order."""
        return tuple(name for name in (self.user, self.item, self.time, self.rating, self.tie) if name)

    def check(self) -> None:
        """Do nothing when user, item and time are three columns.

        Raises:
            DataError: one column would be read as two things.
        """
        named = (self.user, self.item, self.time)
        twice = next((name for name in named if named.count(name) > 1), "")
        if twice:
            hint = "name three columns: --user-column, --item-column, --time-column"
            raise DataError(f"column `{twice}` is read as two of user, item and time", hint=hint)


@dataclass(frozen=True)
class Events:
    """n interactions in file order.

    Attributes:
        users: user ids, by code, in order of first appearance.
        items: item ids, by code.
        user: int32 [n], codes into `users`.
        item: int32 [n], codes into `items`.
        time: float64 [n], seconds.
        tie: float64 [n], the order of events with the same user and time; None means file order.
        line: int32 [n], where each stands in its file.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.float64]
    tie: NDArray[np.float64] | None
    line: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.user)

    def kept(self, chosen: NDArray[np.bool_]) -> Events:
        """Only the chosen rows, bool [n]; codes stay as they are."""
        tie = None if self.tie is None else self.tie[chosen]
        columns = (self.user[chosen], self.item[chosen], self.time[chosen])
        return Events(self.users, self.items, *columns, tie, self.line[chosen])


@dataclass
class EventReader:
    """Reads one table of interactions.

    Attributes:
        columns: where user, item and time are.
        catalogue: item id → index, to refuse items it lacks; None takes every item as it comes.
        values: how ids and times are read.
        written: how a file of text is written.
        least_rating: rows rated lower are left out and counted; needs `columns.rating`.
    """

    columns: Columns
    catalogue: Mapping[str, int] | None = None
    values: StrictValues = field(default_factory=StrictValues)
    written: TableFormat = field(default_factory=TableFormat)
    least_rating: float = -math.inf

    def read(self, path: Path, defects: Defects) -> Events:
        """All sound rows; the others are noted in `defects`."""
        users: dict[str, int] = {}
        items = dict(self.catalogue) if self.catalogue is not None else {}
        user, item, time, lines = array("i"), array("i"), array("d"), array("i")
        ties: list[Any] = []
        for line, row in table_rows(path, self.columns.names, defects, self.written):
            try:
                user_id = self.values.identity(row[0], self.columns.user)
                item_id = self.values.identity(row[1], self.columns.item)
                moment = self.values.time(row[2], self.columns.time)
                if self.columns.rating and rating(row[3], self.columns.rating) < self.least_rating:
                    defects.decided(
                        f"rows with `{self.columns.rating}` below {self.least_rating:g}, left out"
                    )
                    continue
            except UnusableValueError as error:
                defects.add(error.what, self._culprit(row, error), path, line, error.hint)
                continue
            if self.catalogue is not None and item_id not in items:
                note_unknown_item(item_id, path, line, defects)
                continue
            user.append(users.setdefault(user_id, len(users)))
            item.append(items.setdefault(item_id, len(items)))
            time.append(moment)
            lines.append(line)
            if self.columns.tie:
                ties.append(row[-1])
        if len(time) and (doubt := mixed_times(min(time), max(time))):
            note_mixed_times(doubt, path, defects)
        tie = _tie_order(ties, self.columns.tie, path, defects) if self.columns.tie else None
        columns = (np.array(user, np.int32), np.array(item, np.int32), np.array(time, np.float64))
        return Events(tuple(users), tuple(items), *columns, tie, np.array(lines, np.int32))

    def _culprit(self, row: Any, error: UnusableValueError) -> Any:
        cells = zip(self.columns.names, row, strict=True)
        return next((value for name, value in cells if f"`{name}`" in error.what), None)


def rating(value: Any, column: str) -> float:
    """A rating as a number.

    Raises:
        UnusableValueError: it is none.
    """
    exact = exact_number(value)
    try:
        number = math.nan if exact is None else float(exact)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UnusableValueError(
            f"`{column}` is not a number", "name the column of ratings, or leave --min-rating out"
        )
    return number


def note_unknown_item(item_id: Any, path: Path, line: int, defects: Defects) -> None:
    """Note an item id that the catalogue lacks."""
    hint = "add it to items.jsonl or remove it here; ids are compared letter by letter"
    defects.add("item is not in the catalogue", item_id, path, line, hint)


def _tie_order(values: list[Any], column: str, path: Path, defects: Defects) -> NDArray[np.float64]:
    """Ranks of numbers, texts as numbers if all are; if none is, texts by the alphabet.

    Ranks, because two numbers beyond 2^53, such as the ids of a clock in nanoseconds, can be one float64.
    """
    numbers = [exact_number(value) for value in values]
    worded = [value for value, number in zip(values, numbers, strict=True) if number is None]
    if worded and len(worded) == len(values) and all(isinstance(value, str) for value in values):
        defects.decided(f"rows whose tie key `{column}` is text and orders by the alphabet", len(values))
        return np.unique(np.array(values), return_inverse=True)[1].astype(np.float64)
    if worded:
        hint = "use numbers in every row, or texts in every row: as texts, 10 comes before 9"
        defects.add(f"tie key `{column}` mixes kinds of values", worded[0], path, hint=hint)
        return np.zeros(len(values))
    found = [number for number in numbers if number is not None]
    if any(isinstance(number, float) and not math.isfinite(number) for number in found):
        defects.add(f"tie key `{column}` has a value that is not finite", "nan", path, hint="fill the gaps")
        return np.zeros(len(values))
    if all(_fits_float(number) for number in found):
        return np.array(found, dtype=np.float64)
    rank = {number: place for place, number in enumerate(sorted(set(found)))}
    return np.array([rank[number] for number in found], dtype=np.float64)


def _fits_float(number: float | Decimal) -> bool:
    """Whether float64 holds a number as it is."""
    return isinstance(number, float) or (isinstance(number, int) and abs(number) <= 2**53)
