"""Data frames to a data folder: what `genrec data import` does with files, from memory.

    from_frames(interactions=df, items=df2).save("shop")

Whatever speaks Arrow is taken: pandas, polars, pyarrow, DuckDB. The frames are written as JSON lines and go
through the importer, so the same rows are refused for the same reasons; places in messages are rows of the
frames, `interactions:5` the fifth one.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.data.arrow import Column, is_frame, read_frame
from genrec_core.data.events import Columns
from genrec_core.data.importing import Dedupe, ImportReport, ImportRules, import_table
from genrec_core.data.item_table import RESERVED_OF_USERS, ItemColumns
from genrec_core.data.lines import write_records


class FrameRules(TypedDict, total=False):
    """What is left out, as `ImportRules` says it: bad rows are refused with counts in any case.

    Attributes:
        dedupe: which of several interactions of one user with one item stay.
        least_user: interactions that a user needs to stay.
        least_item: interactions that an item needs to stay.
        unknown_items: interactions with items that the item frame lacks: `refuse` or `drop`.
    """

    dedupe: Dedupe
    least_user: int
    least_item: int
    unknown_items: Literal["refuse", "drop"]


class Frames:
    """Frames that can be saved as a data folder.

    Args:
        tables: columns of `interactions`, and perhaps of `items` and `users`.
        rules: how they are read.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, Column]], rules: ImportRules) -> None:
        self._tables, self._rules = tables, rules

    def save(self, folder: str | Path) -> ImportReport:
        """Make the data folder; what was left out and changed is counted in the report.

        Raises:
            DataError: rows that cannot be used, nothing left, or the folder is there already.
        """
        out, rules = Path(folder), self._rules
        with tempfile.TemporaryDirectory() as scratch:
            files = {name: Path(scratch) / f"{name}.jsonl" for name in self._tables}
            for name, columns in self._tables.items():
                write_records(
                    files[name], _rows(columns, rules.columns.time if name == "interactions" else "")
                )
            if "items" in files:
                rules = replace(rules, items=replace(rules.items, table=files["items"]))
            if rules.users is not None:
                rules = replace(rules, users=replace(rules.users, table=files["users"]))
            moments = self._tables["interactions"][rules.columns.time]
            if isinstance(moments, np.ndarray) and moments.dtype.kind == "M":
                rules = replace(rules, dates=True)
            try:
                return import_table(files["interactions"], out, rules)
            except DataError as error:
                raise _of_frames(error, files) from None


def from_frames(
    interactions: Any,
    items: Any = None,
    users: Any = None,
    *,
    columns: Mapping[str, str] | None = None,
    item_fields: Mapping[str, str] | None = None,
    least_rating: float | None = None,
    **rules: Unpack[FrameRules],
) -> Frames:
    """Data frames as a data set; `save` makes the data folder.

    Args:
        interactions: one row each: user, item and time (as the frame's library has times, or seconds since
            1970).
        items: one row an item; every other column becomes a field. None takes `item_fields` from the
            interactions.
        users: one row a user; every other column becomes an attribute.
        columns: what columns are called, where not `user_id`, `item_id`, `timestamp`: `{"user": "customer",
            "item": "product", "time": "when", "rating": "stars"}`.
        item_fields: name of an item field → column.
        least_rating: interactions rated lower are left out; needs `columns["rating"]`.
        **rules: what else is left out; see `FrameRules`.

    Raises:
        GenrecError: something is no data frame, or a column is named that there is none of.
    """
    given = {"interactions": interactions, "items": items, "users": users}
    tables = {name: _read(name, frame) for name, frame in given.items() if frame is not None}
    named = dict(columns or {})
    unknown = sorted(named.keys() - {"user", "item", "time", "rating", "tie"})
    if unknown:
        raise GenrecError(f"`columns` has no `{unknown[0]}`", hint="known: user, item, time, rating, tie")
    read = replace(Columns(), **named)
    if (least_rating is None) != (not read.rating):
        raise GenrecError("`least_rating` and the column of ratings need each other")
    # A frame of its own may call ids as the interactions do, or in the usual way.
    user = next((name for name in (read.user, "user_id") if name in tables.get("users", {})), read.user)
    item = next((name for name in (read.item, "item_id") if name in tables.get("items", {})), read.item)
    _refuse_missing(
        "interactions", tables, [*read.names, *(() if "items" in tables else (item_fields or {}).values())]
    )
    _refuse_missing("items", tables, [item, *(item_fields or {}).values()])
    _refuse_missing("users", tables, [user])
    people = None
    if users is not None:
        people = ItemColumns(None, user, allow_empty_text=True, reserved=RESERVED_OF_USERS)
    texts = ItemColumns(None, item, item_fields or {})
    least = -math.inf if least_rating is None else least_rating
    return Frames(tables, ImportRules(read, texts, users=people, least_rating=least, **rules))


def _read(name: str, frame: Any) -> dict[str, Column]:
    if not is_frame(frame):
        raise GenrecError(
            f"`{name}` is a {type(frame).__name__}, which is no data frame that speaks Arrow",
            hint="give a frame of pandas, polars or pyarrow; files are for `genrec data import`",
        )
    return read_frame(frame)


def _refuse_missing(name: str, tables: Mapping[str, Mapping[str, Column]], wanted: Sequence[str]) -> None:
    """Do nothing when a frame that is there has the columns it needs."""
    missing = [column for column in wanted if column not in tables.get(name, wanted)]
    if missing:
        hint = f"columns are: {', '.join(tables[name])}; say `columns={{...}}` what they are called"
        raise GenrecError(f"the frame has no column `{missing[0]}`", where=name, hint=hint)


def _rows(table: Mapping[str, Column], time: str) -> Iterator[dict[str, Any]]:
    columns = {name: _plain(values, seconds=name == time) for name, values in table.items()}
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def _plain(values: Any, *, seconds: bool) -> Any:
    """Values as JSON has them; times in seconds, or, in other columns, as text."""
    if not isinstance(values, np.ndarray):
        return values
    if values.dtype.kind != "M":
        return values.tolist()
    gone = np.isnat(values)
    if seconds:
        exact = values.astype("datetime64[us]").astype(np.int64) / 1e6
        return [None if none else float(one) for one, none in zip(exact, gone, strict=True)]
    texts = np.datetime_as_string(values, unit="auto").tolist()
    return [None if none else text for text, none in zip(texts, gone, strict=True)]


def _of_frames(error: DataError, files: Mapping[str, Path]) -> DataError:
    """The same error, whose places are rows of frames."""
    message, where = error.message, error.where
    for name, file in files.items():
        message = message.replace(str(file), name).replace(file.name, f"`{name}`")
        where = where.replace(str(file), name)
    return DataError(message, where=where, hint=error.hint)
