"""Item texts from a table: one row an item, or the item's columns inside the interaction table.

Inside an interaction table an item has many rows: the first text found stands, and how many items have
differing texts is counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.data.item_file import has_text
from genrec_core.data.problems import Problems
from genrec_core.data.tables import table_columns, table_rows
from genrec_core.data.values import LenientValues, UnusableValueError


@dataclass(frozen=True)
class ItemColumns:
    """Where item texts are.

    Attributes:
        table: a file with one row an item; None means the interaction table.
        item: the column with the item's id.
        fields: name of the item field → column; empty takes every other column of an item table.
        repeated: whether an item may have several rows.
        allow_empty_text: whether items without any text are allowed.
    """

    table: Path | None = None
    item: str = "item_id"
    fields: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = False
    allow_empty_text: bool = False

    def inside(self, table: Path, item: str) -> ItemColumns:
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
        return replace(self, item=item, repeated=True)


def items_from_table(
    table: Path,
    columns: ItemColumns,
    problems: Problems,
    steps: list[tuple[str, int]],
    delimiter: str = "",
) -> Items:
    """The catalogue, in order of first appearance; what was decided is added to `steps`.

    Defects go into `problems`; the result is whole if there are none.
    """
    fields = columns.fields or _every_column(table, columns, problems, delimiter)
    places: dict[str, int] = {}
    values: dict[str, list[Any]] = {name: [] for name in fields}
    differing: set[int] = set()
    reader = LenientValues()
    for line, row in table_rows(table, (columns.item, *fields.values()), problems, delimiter):
        try:
            item_id = reader.identity(row[0], columns.item)
        except UnusableValueError as error:
            problems.add(error.what, row[0], table, line, error.hint)
            continue
        if item_id not in places:
            places[item_id] = len(places)
            for column, value in zip(values.values(), row[1:], strict=True):
                column.append(_plain(value))
        elif not columns.repeated:
            problems.add("item id occurs twice", item_id, table, line, "keep one row an item")
        elif _differs(values, places[item_id], row[1:]):
            differing.add(places[item_id])
    if differing:
        steps.append(("items whose rows differ in text (the first text stands)", len(differing)))
    items = Items(tuple(places), values)
    if not columns.allow_empty_text:
        _check_texts(items, table, problems)
    return items


def _every_column(table: Path, columns: ItemColumns, problems: Problems, delimiter: str) -> dict[str, str]:
    if columns.repeated:
        return {}
    names = table_columns(table, problems, delimiter)
    return {name: name for name in names if name != columns.item}


def _differs(values: dict[str, list[Any]], place: int, row: Any) -> bool:
    """Fill gaps of an item with a later row's values; say whether any value contradicts an earlier one."""
    contradicts = False
    for column, raw in zip(values.values(), row, strict=True):
        value = _plain(raw)
        if column[place] is None:
            column[place] = value
        elif value is not None and value != column[place]:
            contradicts = True
    return contradicts


def _plain(value: Any) -> Any:
    """A cell as an item field: text, number, list of texts; empty cells and NaN become None."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (list, tuple)):
        return [str(part) for part in value]
    return value if isinstance(value, (str, int, float)) else str(value)


def _check_texts(items: Items, table: Path, problems: Problems) -> None:
    hint = "name more columns with `--item-field NAME=COLUMN`, or pass `--allow-empty-text`"
    for place, item_id in enumerate(items.ids):
        if not any(has_text(column[place]) for column in items.fields.values()):
            problems.add("item has no text in any field", item_id, table, hint=hint)
