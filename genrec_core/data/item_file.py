"""The item file: `items.jsonl[.gz]` into a catalogue by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec_core.contracts.items import Items
from genrec_core.data.lines import records
from genrec_core.data.problems import Problems
from genrec_core.data.values import StrictValues, UnusableValueError, is_missing_word

NO_TEXT_HINT = "give it a title, or allow such items with `allow_empty_text: true`"


def read_items(path: Path, problems: Problems) -> tuple[Items, list[int]]:
    """The catalogue in file order, and the line of each item that has no text in any field."""
    ids: dict[str, int] = {}
    fields: dict[str, list[Any]] = {}
    without_text: list[int] = []
    for line, record in records(path, problems):
        item_id = _item_id(record, path, line, problems)
        if item_id is None:
            continue
        if item_id in ids:
            hint = f"it stands on line {ids[item_id]} already; keep one of the two"
            problems.add("item id occurs twice", item_id, path, line, hint)
            continue
        _append(fields, len(ids), record, path, line, problems)
        ids[item_id] = line
        if not any(has_text(value) for name, value in record.items() if name != "item_id"):
            without_text.append(line)
    for values in fields.values():
        values.extend([None] * (len(ids) - len(values)))
    return Items(tuple(ids), fields), without_text


def has_text(value: Any) -> bool:
    """Whether a field's value holds a letter to read: a string or a list of strings."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, list) and any(isinstance(part, str) and part.strip() for part in value)


def _item_id(record: dict[str, Any], path: Path, line: int, problems: Problems) -> str | None:
    try:
        return StrictValues().identity(record.get("item_id"), "item_id")
    except UnusableValueError as error:
        problems.add(error.what, record.get("item_id"), path, line, error.hint)
        return None


def _append(
    fields: dict[str, list[Any]],
    index: int,
    record: dict[str, Any],
    path: Path,
    line: int,
    problems: Problems,
) -> None:
    for name, value in record.items():
        if name == "item_id":
            continue
        nested = isinstance(value, dict) or (
            isinstance(value, list) and not all(isinstance(part, str) for part in value)
        )
        if nested:
            hint = "a field is a string, a list of strings, a number or null; flatten it"
            problems.add(f"field `{name}` holds something nested", value, path, line, hint)
            continue
        if any(is_missing_word(part) for part in (value if isinstance(value, list) else [value])):
            hint = "write null, or leave the field out; a title that is such a word needs another spelling"
            problems.add(f"field `{name}` is a word for a missing value", value, path, line, hint)
        column = fields.setdefault(name, [])
        column.extend([None] * (index - len(column)))
        column.append(value)
