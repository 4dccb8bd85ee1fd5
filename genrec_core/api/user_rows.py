"""Whom to recommend to: users with their histories, from a run's data, a file or a data frame.

    user_id                        each user's whole history in the run's data
    user_id, item_ids              one row a user, items oldest first (a list, or ids with commas between)
    user_id, item_id[, timestamp]  interactions; without times their order is that of the rows

A text that is one item's id is that item, also where it holds commas; `cli.finding` reads `--history` so too.

Ids become numbers while reading: a user costs the user's id and four bytes for each item of the history.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from genrec_core.api.histories import Histories
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import DataError, examples
from genrec_core.data.arrow import is_frame, read_frame
from genrec_core.data.defects import Defects
from genrec_core.data.doubtful_times import mixed_times, note_mixed_times
from genrec_core.data.tables import table_columns, table_rows
from genrec_core.data.values import LenientValues, UnusableValueError

UnknownItems = Literal["refuse", "drop"]
"""What becomes of ids that no item has."""
FRAME = Path("users")
"""What messages call a data frame; a row of it is `users:5`."""


@dataclass(frozen=True)
class UserTable:
    """How a table of users is read.

    Attributes:
        user: the column of users' ids.
        item: of one item.
        items: of a whole history, oldest first.
        time: of the time of an interaction.
        time_format: how times are written in a file; data frames have times of their own.
        unknown_items: what becomes of interactions with items that the catalogue lacks: `refuse` refuses the
            table, `drop` leaves them out and counts them.
    """

    user: str = "user_id"
    item: str = "item_id"
    items: str = "item_ids"
    time: str = "timestamp"
    time_format: str = "seconds"
    unknown_items: UnknownItems = "refuse"


class UserRows:
    """Users and their histories, in order.

    Args:
        users: ids.
        rows: item indices of each, oldest first; None to look each user up.
        known: the users of the run's data.
        notes: what is to be said about them.
    """

    def __init__(
        self, users: Sequence[str], rows: Sequences | None, known: Histories, notes: Sequence[str] = ()
    ) -> None:
        self.users, self.notes = users, tuple(notes)
        self._rows, self._known = rows, known

    def __len__(self) -> int:
        return len(self.users)

    def between(self, start: int, end: int) -> Iterator[tuple[str, tuple[int, ...], Mapping[str, object]]]:
        """(user, history, attributes) of some users."""
        for row in range(start, min(end, len(self))):
            user = self.users[row]
            history = self._known.of(user) if self._rows is None else tuple(self._rows.row(row).tolist())
            yield user, history, self._known.attributes(user)

    @property
    def digest(self) -> str:
        """What two equal sets of users have in common."""
        found = hashlib.sha256("\0".join(self.users).encode("utf-8", "surrogatepass"))
        if self._rows is not None:
            found.update(self._rows.values.tobytes())
            found.update(self._rows.offsets.tobytes())
        return found.hexdigest()


def user_rows(source: Any, table: UserTable, known: Histories, index_of: Mapping[str, int]) -> UserRows:
    """The users of a source.

    Args:
        source: None for all users of the run's data; a path; a data frame; or ids of users.
        table: how it is read.
        known: the users of the run's data.
        index_of: item id → index.

    Raises:
        DataError: rows that cannot be used, with counts; or a user that the run's data does not have.
    """
    if source is None:
        return UserRows(tuple(known), None, known)
    defects = Defects()
    if isinstance(source, (str, Path)) or is_frame(source):
        present, rows, place = _opened(source, table, defects)
        return _Reader(table, present, place, index_of, defects).read(rows, known)
    users = tuple(str(user) for user in source)
    _refuse_strangers(users, range(1, len(users) + 1), known, FRAME, defects)
    return UserRows(users, None, known)


def _opened(
    source: Any, columns: UserTable, defects: Defects
) -> tuple[list[str], Iterable[tuple[int, Sequence[Any]]], Path]:
    """The columns that a table has of those wanted, its rows with their lines, and what to call it."""
    frame: dict[str, Any] = {}
    if is_frame(source):
        frame = dict(read_frame(source))
        place, present = FRAME, list(frame)
    else:
        place = Path(source)
        if not place.is_file():
            raise DataError(f"there is no file `{place}`", hint="name a table of users")
        present = list(table_columns(place, defects))
        defects.refuse()
    if columns.user not in present:
        hint = f"columns are: {', '.join(present)}; rename the one with the users' ids"
        raise DataError(f"there is no column `{columns.user}`", where=str(place), hint=hint)
    if columns.items in present and columns.item in present:
        hint = "leave one out: the first holds a user's whole history in one row, the second one item a row"
        what = f"there are two columns of items, `{columns.items}` and `{columns.item}`"
        raise DataError(what, where=str(place), hint=hint)
    others = [columns.item, columns.time] if columns.item in present else []
    others = [columns.items] if columns.items in present else others
    named = [columns.user, *(name for name in others if name in present)]
    if not frame:
        return named, table_rows(place, named, defects), place
    return named, enumerate(zip(*(_plain(frame[name]) for name in named), strict=True), 1), place


def _plain(values: Any) -> Any:
    """A frame's column as plain values, times in seconds."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        seconds = values.astype("datetime64[us]").astype(np.float64) / 1e6
        return np.where(np.isnat(values), np.nan, seconds).tolist()
    return values.tolist() if isinstance(values, np.ndarray) else values


class _Reader:
    """Reads the rows of one table.

    Args:
        columns: how it is read.
        present: those that the table has, in the order of the rows' cells.
        place: what to call the table.
        index_of: item id → index.
        defects: what is wrong.
    """

    def __init__(
        self,
        columns: UserTable,
        present: Sequence[str],
        place: Path,
        index_of: Mapping[str, int],
        defects: Defects,
    ) -> None:
        self._columns, self._present, self._place = columns, list(present), place
        self._index_of, self._defects = index_of, defects
        self._values = LenientValues("seconds" if place is FRAME else columns.time_format)
        self._users: dict[str, int] = {}
        self._user, self._item, self._time = array("i"), array("i"), array("d")
        self._dropped = 0
        self._with_commas = frozenset(one for one in index_of if "," in one)
        self._most_commas = max((one.count(",") for one in self._with_commas), default=0)
        self._whole: list[str] = []

    def read(self, rows: Iterable[tuple[int, Sequence[Any]]], known: Histories) -> UserRows:
        """All users, in order of first appearance."""
        lines = array("i")
        for line, row in rows:
            cells = dict(zip(self._present, row, strict=False))
            try:
                before = len(self._users)
                self._take(line, cells)
            except UnusableValueError as error:
                value = next((cell for name, cell in cells.items() if f"`{name}`" in error.what), None)
                self._defects.add(error.what, value, self._place, line, error.hint)
                continue
            if len(self._users) > before:
                lines.append(line)
        users = tuple(self._users)
        passed_over = [f"{count:,} {what}" for what, count in self._defects.decisions.items()]
        if not {self._columns.item, self._columns.items} & set(self._present):
            _refuse_strangers(users, lines, known, self._place, self._defects)
            return UserRows(users, None, known, passed_over)
        if len(self._time) and (doubt := mixed_times(min(self._time), max(self._time))):
            note_mixed_times(doubt, self._place, self._defects)
        self._defects.refuse()
        notes = passed_over
        if self._dropped:
            notes.append(f"{self._dropped:,} interactions with unknown items were left out")
        if self._whole:
            where = f"{len(self._whole):,} cells of `{self._columns.items}`"
            notes.append(
                f"{where} are one item's id, though their parts are ids too: {examples(self._whole)}"
            )
        return UserRows(users, self._sequences(len(users)), known, notes)

    def _take(self, line: int, cells: Mapping[str, Any]) -> None:
        columns = self._columns
        user = self._values.identity(cells[columns.user], columns.user)
        if columns.items in cells:
            if user in self._users:
                hint = "one row a user, or one row an interaction with `item_id`"
                self._defects.add("user has two rows", user, self._place, line, hint)
                return
            code = self._users.setdefault(user, len(self._users))
            for one in self._listed(cells[columns.items], line):
                self._add(code, one, 0.0, line)
        elif columns.item in cells:
            code = self._users.setdefault(user, len(self._users))
            moment = self._values.time(cells[columns.time], columns.time) if columns.time in cells else 0.0
            self._add(code, cells[columns.item], moment, line)
        else:
            self._users.setdefault(user, len(self._users))

    def _add(self, code: int, item: Any, moment: float, line: int) -> None:
        item_id = self._values.identity(item, self._columns.item)
        index = self._index_of.get(item_id)
        if index is None:
            self._dropped += 1
            if self._columns.unknown_items == "refuse":
                hint = "check the ids, or leave such interactions out: unknown_items=drop"
                self._defects.add("item is not in the catalogue", item_id, self._place, line, hint)
            return
        self._user.append(code)
        self._item.append(index)
        self._time.append(moment)

    def _listed(self, cell: Any, line: int) -> Sequence[Any]:
        """A cell that holds a history: a list, one id, or ids with commas between.

        Raises:
            UnusableValueError: it is something else.
        """
        if isinstance(cell, (list, tuple, np.ndarray)):
            return list(cell)
        if cell is None or cell != cell:
            return ()
        name = self._columns.items
        if not isinstance(cell, str):
            hint = "write a list of ids, or a text with commas between them"
            raise UnusableValueError(f"`{name}` is no list of ids", hint)
        text = cell.strip()
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if text in self._index_of:
            if len(parts) > 1 and all(part in self._index_of for part in parts):
                self._whole.append(text)
            return [text]
        if self._several_ways(text):
            what = f"`{name}` holds an id with a comma among others"
            hint = "write a list (JSON lines, Parquet, a data frame), or one row an interaction with "
            self._defects.add(what, cell, self._place, line, f"{hint}`{self._columns.item}`")
            return ()
        return parts

    def _several_ways(self, text: str) -> bool:
        """Whether some neighbouring parts of a text are an id together."""
        parts = text.split(",")
        return any(
            ",".join(parts[begin : begin + size]).strip() in self._with_commas
            for size in range(2, self._most_commas + 2)
            for begin in range(len(parts) - size + 1)
        )

    def _sequences(self, users: int) -> Sequences:
        """The interactions by user and time, those of one moment in the order of the rows."""
        user, time = np.array(self._user, dtype=np.int32), np.array(self._time)
        order = np.lexsort((np.arange(len(user)), time, user))
        offsets = np.cumsum([0, *np.bincount(user, minlength=users)], dtype=np.int64)
        return Sequences(np.array(self._item, dtype=np.int32)[order], offsets)


def _refuse_strangers(
    users: Sequence[str], lines: Sequence[int], known: Histories, place: Path, defects: Defects
) -> None:
    for user, line in zip(users, lines, strict=True):
        if user not in known:
            hint = "give such users a history: a column `item_ids`, or `item_id` with one row an interaction"
            defects.add("the run's data does not know the user", user, place, line, hint)
    defects.refuse()
