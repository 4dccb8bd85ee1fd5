"""The identifier file: identifiers that somebody else made, `item_id` and a list of tokens a line.

    {"item_id": "B004756YJA", "sid": ["<a_183>", "<b_70>", "<c_232>", "<d_6>"]}

The field has any name but `item_id`. A file may name more items than a catalogue has, never fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import DataError, examples
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.lines import records

HINT = 'an identifier is a list of texts, like ["<a_1>", "<b_7>"]'


def read_identifiers(path: Path, field: str = "") -> dict[str, Tokens]:
    """Item id → tokens, in file order.

    Args:
        path: a `.jsonl` or `.jsonl.gz` file.
        field: where the tokens are; by default the one field beside `item_id`.

    Raises:
        DataError: the file cannot be read, or rows have no such field, bad tokens or an id twice.
    """
    defects = Defects()
    named: dict[str, Tokens] = {}
    for line, record in records(path, defects):
        item_id = record.get("item_id")
        if not isinstance(item_id, str) or not item_id:
            defects.add("`item_id` is not a text", item_id, path, line, 'write "item_id": "…" on every line')
            continue
        tokens = _tokens(record, field, path, line, defects)
        if item_id in named:
            defects.add("item id occurs twice", item_id, path, line, "keep one of the two")
        elif tokens:
            named[item_id] = tokens
    defects.refuse()
    return named


def tokens_of(value: Any) -> Tokens:
    """A value as tokens: a list of texts, or one text as a single token; empty when it is neither."""
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) and part.strip() for part in value):
        return tuple(value)
    return ()


def in_catalogue_order(named: Mapping[str, Tokens], items: Items, where: str) -> list[Tokens]:
    """The tokens of each item.

    Raises:
        DataError: items are not named.
    """
    missing = [item_id for item_id in items.ids if item_id not in named]
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(items):,} items have no identifier: {examples(missing)}",
            where=where,
            hint="every item of the catalogue needs one",
        )
    return [named[item_id] for item_id in items.ids]


def _tokens(record: Mapping[str, Any], field: str, path: Path, line: int, defects: Defects) -> Tokens:
    names = [name for name in record if name != "item_id"]
    if not field and len(names) != 1:
        hint = "name the field that holds the tokens" if names else HINT
        defects.add("it is not clear which field holds the tokens", ", ".join(names), path, line, hint)
        return ()
    tokens = tokens_of(record.get(field or names[0]))
    if not tokens:
        defects.add("row has no usable identifier", record.get(field or names[0]), path, line, HINT)
    return tokens
