"""The files of fields: `items.jsonl[.gz]` into a catalogue by column, `users.jsonl[.gz]` into attributes.

{"item_id": "a", "title": "Red tent", "colours": ["red", "grey"], "price": null}
{"user_id": "u1", "occupation": "gardener"}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.lines import records
from genrec_core.data.values import MissingWords, StrictValues, UnusableValueError, is_missing_text

FileLine = tuple[Path, int]
NO_TEXT_HINT = "give it a title, or allow such items with `allow_empty_text: true`"


def read_items(path: Path, defects: Defects, missing: MissingWords = "refuse") -> tuple[Items, list[int]]:
    """The catalogue in file order, and the line of each item that has no text in any field."""
    ids: dict[str, int] = {}
    fields: dict[str, list[Any]] = {}
    without_text: list[int] = []
    for line, record in records(path, defects):
        item_id = _item_id(record, path, line, defects)
        if item_id is None:
            continue
        if item_id in ids:
            hint = f"it stands on line {ids[item_id]} already; keep one of the two"
            defects.add("item id occurs twice", item_id, path, line, hint)
            continue
        texts = {name: value for name, value in record.items() if name != "item_id"}
        known = _known(_flat(texts, (path, line), defects), missing, (path, line), defects)
        for name, value in known.items():
            column = fields.setdefault(name, [])
            column.extend([None] * (len(ids) - len(column)))
            column.append(value)
        ids[item_id] = line
        if not any(has_text(values[-1]) for values in fields.values() if len(values) == len(ids)):
            without_text.append(line)
    for values in fields.values():
        values.extend([None] * (len(ids) - len(values)))
    return Items(tuple(ids), fields), without_text


def has_text(value: Any) -> bool:
    """Whether a field's value holds a letter to read: a string or a list of strings."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, list) and any(isinstance(part, str) and part.strip() for part in value)


def _item_id(record: dict[str, Any], path: Path, line: int, defects: Defects) -> str | None:
    try:
        return StrictValues().identity(record.get("item_id"), "item_id")
    except UnusableValueError as error:
        defects.add(error.what, record.get("item_id"), path, line, error.hint)
        return None


def read_users(
    path: Path, defects: Defects, missing: MissingWords = "refuse"
) -> dict[str, dict[str, object]]:
    """User id → every other field of that line, for tasks that speak of users; fields hold what items' do."""
    attributes: dict[str, dict[str, object]] = {}
    for line, record in records(path, defects):
        user = record.pop("user_id", None)
        try:
            user = StrictValues().identity(user, "user_id")
        except UnusableValueError as error:
            defects.add(error.what, user, path, line, error.hint)
            continue
        if user in attributes:
            defects.add("user id occurs twice", user, path, line, "keep one line a user")
        fields = _flat(record, (path, line), defects)
        attributes[user] = _known(fields, missing, (path, line), defects)
        for name in [name for name, value in record.items() if value == "" and missing == "refuse"]:
            hint = "write null, or leave the field out; `missing_words: empty` or `keep` takes it"
            defects.add(f"field `{name}` is empty", None, path, line, hint)
    return attributes


def _flat(record: dict[str, Any], place: FileLine, defects: Defects) -> dict[str, Any]:
    """The fields of a line; what is nested is noted and left out."""
    fields = {}
    for name, value in record.items():
        nested = isinstance(value, dict) or (
            isinstance(value, list) and not all(isinstance(part, str) for part in value)
        )
        if nested:
            hint = "a field is a string, a list of strings, a number or null; flatten it"
            defects.add(f"field `{name}` holds something nested", value, *place, hint)
        else:
            fields[name] = value
    return fields


def _known(
    record: dict[str, Any], missing: MissingWords, place: FileLine, defects: Defects
) -> dict[str, Any]:
    """The fields of a line after words for a missing value were settled."""
    hint = "write null, or leave the field out; `missing_words: keep` takes it as it is, `empty` as null"
    return {
        name: settle_missing_words(name, value, missing, place, defects, hint)
        for name, value in record.items()
    }


def settle_missing_words(
    name: str, value: Any, missing: MissingWords, place: FileLine, defects: Defects, hint: str
) -> Any:
    """A field's value (for a list, its parts) after words for a missing value were refused, emptied or kept.

    What is not refused is counted in `defects.decisions`; a refused value comes back as it is.
    """
    parts = value if isinstance(value, list) else [value]
    count = sum(map(is_missing_text, parts))
    if not count:
        return value
    if missing == "refuse":
        defects.add(f"field `{name}` is a word for a missing value", value, *place, hint)
        return value
    if missing == "keep":
        defects.decided(f"words for a missing value in `{name}`, kept (`missing_words: keep`)", count)
        return value
    defects.decided(f"words for a missing value in `{name}`, taken as empty", count)
    return [part for part in value if not is_missing_text(part)] if isinstance(value, list) else None
