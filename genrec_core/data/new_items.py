"""New items: a file of items that come to a catalogue that is in use already.

It is an `items.jsonl` like that of a data folder, or a CSV or Parquet table with a column `item_id`. Besides
what is wrong with an item file as such, an id that the catalogue has already is refused, and so is a field
that it lacks: what an item is called depends on its text, and a misspelt field would change that text in
silence.
"""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.item_file import has_text, read_items
from genrec_core.data.item_table import RESERVED, ItemColumns, items_from_table
from genrec_core.data.lines import records
from genrec_core.data.tables import table_format
from genrec_core.data.values import exact_number

_TAKEN = "give a new item an id of its own; to change an item's text, run the pipeline anew"
_NO_TEXT = "give it a text, or allow such items with --allow-empty-text"


def read_new_items(path: Path, known: Items, *, allow_empty_text: bool = False) -> Items:
    """The items of a file, in file order.

    Args:
        path: `items.jsonl`, or a table (`.csv`, `.tsv`, `.parquet`); all but Parquet also with `.gz`.
        known: the catalogue that they are to be added to.
        allow_empty_text: whether items without any text are taken.

    Raises:
        DataError: with the first kind of defect, how often it occurs, its places and values.
    """
    if table_format(path) != "jsonl":
        return _from_table(path, known, allow_empty_text)
    defects = Defects()
    items, without_text = read_items(path, defects)
    for line in () if allow_empty_text else without_text:
        defects.add("item has no text in any field", None, path, line, _NO_TEXT)
    taken = set(known.ids)
    textual = set(known.text_fields)
    # Lines that are no JSON objects were noted above; this second reading is for what the catalogue knows.
    for line, record in records(path, Defects()):
        if record.get(RESERVED) in taken:
            defects.add("item is in the catalogue already", record[RESERVED], path, line, _TAKEN)
        for name, value in record.items():
            if name != RESERVED:
                _check_field(name, value, known, textual, path, line, defects)
    defects.refuse()
    return items


def _from_table(path: Path, known: Items, allow_empty_text: bool) -> Items:
    """The items of a table; its texts become numbers where the catalogue holds numbers."""
    defects = Defects()
    items = items_from_table(path, ItemColumns(path, RESERVED, allow_empty_text=True), defects)
    defects.refuse()
    taken, textual = set(known.ids), set(known.text_fields)
    fields = {
        name: column if name in textual else [_number(value) for value in column]
        for name, column in items.fields.items()
    }
    for row, item_id in enumerate(items.ids):
        if item_id in taken:
            defects.add("item is in the catalogue already", item_id, path, row + 1, _TAKEN)
        if not allow_empty_text and not any(has_text(column[row]) for column in fields.values()):
            defects.add("item has no text in any field", item_id, path, row + 1, _NO_TEXT)
        for name, column in fields.items():
            _check_field(name, column[row], known, textual, path, row + 1, defects)
    defects.refuse()
    return Items(items.ids, fields)


def _number(value: Any) -> Any:
    """A number that a text spells, whole where it is; anything else as it is."""
    number = exact_number(value) if isinstance(value, str) else value
    if isinstance(number, Decimal):
        number = float(number)
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        return value
    return int(number) if isinstance(number, float) and number.is_integer() else number


def appended(known: Items, new: Items) -> Items:
    """One catalogue: the known items, then the new ones, with the known fields in their order."""
    absent: list[Any] = [None] * len(new)
    fields = {name: [*values, *new.fields.get(name, absent)] for name, values in known.fields.items()}
    return Items((*known.ids, *new.ids), fields)


def _check_field(
    name: str, value: Any, known: Items, textual: set[str], path: Path, line: int, defects: Defects
) -> None:
    listed = ", ".join(known.fields)
    if name not in known.fields:
        defects.add("items of the catalogue have no such field", name, path, line, f"fields are: {listed}")
    elif name not in textual and has_text(value):
        hint = f"fields with text are: {', '.join(sorted(textual))}"
        defects.add(f"field `{name}` holds text, in the catalogue it holds none", value, path, line, hint)
