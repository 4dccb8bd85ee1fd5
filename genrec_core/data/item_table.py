"""Item texts from a table: one row an item, or the item's columns inside the interaction table.

Inside an interaction table an item has many rows: the first text found stands, and how many items have
differing texts is counted.

What a cell may hold, and what becomes of it:

    "Red tent", 12.5        as it is
    ["wool", null, "red"]   a list of texts, without its gaps; lists of lists are laid flat
    {"Brand": "Acme"}       no text: `--item-field brand=details.Brand` chooses one; refused where the
                            column is named whole, left out and counted where all columns are taken
    [{"Brand": "Acme"}]     in a list no path goes on; values at which one ends so are counted
    {"red", "blue"}         a set, as Python prints it, has no order: refused, as bytes are
    nan, None, NULL, NA     words for an absent value: `missing` decides
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.item_file import has_text, settle_missing_words
from genrec_core.data.tables import TableFormat, table_columns, table_rows
from genrec_core.data.values import LenientValues, MissingWords, UnusableValueError

RepeatedItems = Literal["refuse", "first", "last"]
"""Which of several rows of one item stands in a table with one row an item."""
RESERVED = "item_id"
RESERVED_OF_USERS = "user_id"
"""What a data folder calls the ids: no field of an item, and no attribute of a user, may be called so."""


class _NestedError(UnusableValueError):
    """A cell that holds a dictionary, which is no text."""


@dataclass(frozen=True)
class ItemColumns:
    """Where item texts are.

    Attributes:
        table: a file with one row an item; None means the interaction table.
        item: the column with the item's id.
        fields: name of the item field → column; empty takes every other column of an item table.
        repeated: whether an item may have several rows, the first text of which stands.
        allow_empty_text: whether items without any text are allowed.
        missing: see `MissingWords`.
        duplicates: see `RepeatedItems`.
        unescape: whether HTML entities (`&amp;`) are undone.
        separators: item field → what parts the texts in its cells, which become lists.
        flags: item field → columns of 0 and 1; the field lists the names of those that are 1.
        written: how a table of text is written.
        reserved: what the folder calls the id; no field may be called so (`user_id` for attributes of users).
    """

    table: Path | None = None
    item: str = "item_id"
    fields: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = False
    allow_empty_text: bool = False
    missing: MissingWords = "refuse"
    duplicates: RepeatedItems = "refuse"
    unescape: bool = False
    separators: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    written: TableFormat = field(default_factory=TableFormat)
    reserved: str = RESERVED

    @property
    def option(self) -> str:
        """The option of `genrec data import` that names fields, for hints."""
        return "--user-field" if self.reserved == RESERVED_OF_USERS else "--item-field"

    def inside(self, table: Path, item: str, written: TableFormat) -> ItemColumns:
        """The same fields, read from the interaction table `table` with ids in column `item`.

        Raises:
            DataError: no field is named: an interaction table's columns are not item texts by themselves.
        """
        if not self.fields and not self.allow_empty_text:
            raise DataError(
                "items need a text, and none is named",
                where=str(table),
                hint="name a column, as in `--item-field title=COLUMN`, or give `--items FILE`",
            )
        return replace(self, item=item, repeated=True, written=written)


def items_from_table(table: Path, columns: ItemColumns, defects: Defects) -> Items:
    """The catalogue, in order of first appearance; what was decided is counted in `defects.decisions`.

    Defects go into `defects`; the result is whole if there are none.
    """
    fields = columns.fields or _every_column(table, columns, defects)
    if columns.reserved in (*fields, *columns.flags):
        hint = f"name the columns you want with `{columns.option} NAME=COLUMN`, this one under another name"
        defects.add(
            f"a field called `{columns.reserved}` would take the place of the ids", "", table, hint=hint
        )
        return Items((), {})
    if _note_clashes(table, columns, fields, defects):
        return Items((), {})
    reader = _ItemReader(table, columns, (*fields, *columns.flags), defects)
    present = set(table_columns(table, Defects(), columns.written))
    paths = {name: column for name, column in fields.items() if "." in column and column not in present}
    for line, cells in _item_rows(table, columns, fields, paths, defects):
        reader.take(line, cells)
    for name, path in paths.items():
        if reader.ids and all(value is None for value in reader.values[name]):
            hint = (
                f"check the path: `{path.split('.')[0]}` is a column, and each part behind it a name inside"
            )
            defects.add(
                f"no row holds anything at `{path}`, of which field `{name}` is made", "", table, hint=hint
            )
    return reader.items()


def _note_clashes(table: Path, columns: ItemColumns, fields: Mapping[str, str], defects: Defects) -> bool:
    """Whether a field is made twice, of a column twice, or parted where there is none; all are noted."""
    clashes: list[tuple[str, str]] = []
    for name, listed in columns.flags.items():
        if name in fields:
            hint = "give one of the two another name, as in `--flags-field kinds=Action,Drama`"
            what = f"field `{name}` is made of flags and of column `{fields[name]}`"
            clashes.append((what, hint))
        twice = sorted({column for column in listed if listed.count(column) > 1})
        if twice:
            what = f"field `{name}` names column `{twice[0]}` of flags twice"
            clashes.append((what, "name each column of `--flags-field` once"))
    for name in columns.separators:
        if name not in fields:
            hint = f"`--split-field` parts one of: {', '.join(fields) or 'none'}"
            clashes.append((f"there is no field `{name}` whose cells could be parted", hint))
    for what, hint in clashes:
        defects.add(what, "", table, hint=hint)
    return bool(clashes)


def _item_rows(
    table: Path, columns: ItemColumns, fields: Mapping[str, str], chosen: Mapping[str, str], defects: Defects
) -> Any:
    """(line, id and one value a field); `chosen` are fields that are paths, as `details.Brand`."""
    paths = {name: path.split(".") for name, path in chosen.items()}
    wanted = [paths[name][0] if name in paths else column for name, column in fields.items()]
    flags = [column for listed in columns.flags.values() for column in listed]
    for line, row in table_rows(table, (columns.item, *wanted, *flags), defects, columns.written):
        cells = list(row[: len(wanted) + 1])
        raised = dict(zip(flags, row[len(wanted) + 1 :], strict=True))
        for place, name in enumerate(fields, start=1):
            if name in paths:
                cells[place] = _inside(cells[place], paths[name], name, defects)
        for listed in columns.flags.values():
            cells.append([column for column in listed if raised[column] in ("1", 1)])
        yield line, cells


def _inside(value: Any, path: Sequence[str], name: str, defects: Defects) -> Any:
    """What lies at a path inside a value; one that is no dictionary, and not empty, is counted."""
    for depth, key in enumerate(path[1:], start=1):
        if not isinstance(value, dict):
            if not (value is None or value == "" or value == []):
                here, whole = ".".join(path[:depth]), ".".join(path)
                what = (
                    f"values of `{here}` that are no dictionary, so that field `{name}` (`{whole}`) has none"
                )
                defects.decided(what)
            return None
        value = value.get(key)
    return value


class _ItemReader:
    """Gathers rows into a catalogue by column."""

    def __init__(self, table: Path, columns: ItemColumns, fields: tuple[str, ...], defects: Defects) -> None:
        self.table, self.columns, self.defects = table, columns, defects
        self.ids: dict[str, int] = {}
        self.values: dict[str, list[Any]] = {name: [] for name in fields}
        self.cells = LenientValues()
        self.differing: set[int] = set()
        self.nested: dict[str, int] = {}
        self.line = 0

    def take(self, line: int, row: Sequence[Any]) -> None:
        """Add one row."""
        self.line = line
        try:
            item_id = self.cells.identity(row[0], self.columns.item)
        except UnusableValueError as error:
            self.defects.add(error.what, row[0], self.table, line, error.hint)
            return
        plain = [self._plain(name, value) for name, value in zip(self.values, row[1:], strict=True)]
        place = self.ids.get(item_id, -1)
        if place < 0:
            self.ids[item_id] = len(self.ids)
            for column, value in zip(self.values.values(), plain, strict=True):
                column.append(value)
        elif self.columns.repeated:
            self._fill(place, plain)
        elif self.columns.duplicates == "refuse":
            hint = "keep one row an item, or choose `--duplicate-items first` or `last`"
            self.defects.add("item id occurs twice", item_id, self.table, line, hint)
        else:
            self.defects.decided(f"rows of an item that has several ({self.columns.duplicates} stands)")
            if self.columns.duplicates == "last":
                for column, value in zip(self.values.values(), plain, strict=True):
                    column[place] = value

    def items(self) -> Items:
        """The catalogue; columns that hold nothing but dictionaries are left out."""
        if self.differing:
            what = "items whose rows differ in text (the first text stands)"
            self.defects.decided(what, len(self.differing))
        for name, count in self.nested.items():
            self.defects.decided(f"nested values of column `{name}` left out", count)
            if all(value is None for value in self.values[name]):
                del self.values[name]
        if self.cells.spaces:
            self.defects.decided("item ids with spaces around them, cut off", self.cells.spaces)
        items = Items(tuple(self.ids), self.values)
        if not self.columns.allow_empty_text:
            _check_texts(items, self.table, self.defects)
        return items

    def _fill(self, place: int, plain: Sequence[Any]) -> None:
        """Fill gaps of an item with a later row's values; note whether any contradicts an earlier one."""
        for column, value in zip(self.values.values(), plain, strict=True):
            if column[place] is None:
                column[place] = value
            elif value is not None and value != column[place]:
                self.differing.add(place)

    def _plain(self, name: str, value: Any) -> Any:
        """A cell as an item field: text, number, list of texts; None when it is empty or of no use."""
        try:
            plain = _plain(value)
        except _NestedError as error:
            if self.columns.fields:
                self.defects.add(f"field `{name}` {error.what}", value, self.table, self.line, error.hint)
            else:
                self.nested[name] = self.nested.get(name, 0) + 1
            return None
        except UnusableValueError as error:
            self.defects.add(f"field `{name}` {error.what}", str(value), self.table, self.line, error.hint)
            return None
        if isinstance(plain, str) and (separator := self.columns.separators.get(name)):
            plain = [part.strip() for part in plain.split(separator) if part.strip()]
        if isinstance(plain, list):
            return [text for part in plain if (text := self._text(name, part)) is not None] or None
        return self._text(name, plain) if isinstance(plain, str) else plain

    def _text(self, name: str, text: str) -> str | None:
        if self.columns.unescape and "&" in text and (undone := html.unescape(text)) != text:
            self.defects.decided("texts with HTML entities, undone")
            text = undone
        hint = "`--missing-words empty` takes such words as no text, `keep` as they are"
        place = (self.table, self.line)
        settled: str | None = settle_missing_words(
            name, text, self.columns.missing, place, self.defects, hint
        )
        return settled


def _every_column(table: Path, columns: ItemColumns, defects: Defects) -> dict[str, str]:
    if columns.repeated:
        return {}
    names = table_columns(table, defects, columns.written)
    flags = {column for listed in columns.flags.values() for column in listed}
    return {name: name for name in names if name != columns.item and name not in flags}


def _plain(value: Any) -> Any:
    """A cell as text, number or list of texts; empty cells and NaN become None.

    Raises:
        UnusableValueError: it is, or holds, a dictionary, a set, bytes, or an infinite or complex number.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dict):
        hint = "choose what is inside by its path, as in `--item-field brand=details.Brand`"
        raise _NestedError("holds something nested", hint)
    if isinstance(value, (list, tuple)):
        parts = [_plain(part) for part in value]
        flat = [inner for part in parts for inner in (part if isinstance(part, list) else [part])]
        return [part if isinstance(part, str) else str(part) for part in flat if part is not None] or None
    if isinstance(value, (bytes, bytearray)):
        raise UnusableValueError("holds bytes, not text", "write the column as text (UTF-8)")
    if isinstance(value, (set, frozenset)):
        raise UnusableValueError("holds a set, whose parts have no order", "write a list, or leave it out")
    if value is ... or isinstance(value, complex):
        raise UnusableValueError("is neither text nor number", "write the column as text, or leave it out")
    if isinstance(value, float) and math.isinf(value):
        raise UnusableValueError("is not a finite number", "write the true number or nothing")
    return value if isinstance(value, (str, int, float)) else str(value)


def _check_texts(items: Items, table: Path, defects: Defects) -> None:
    hint = "name more columns with `--item-field NAME=COLUMN`, or pass `--allow-empty-text`"
    for place, item_id in enumerate(items.ids):
        if not any(has_text(column[place]) for column in items.fields.values()):
            defects.add("item has no text in any field", item_id, table, hint=hint)
