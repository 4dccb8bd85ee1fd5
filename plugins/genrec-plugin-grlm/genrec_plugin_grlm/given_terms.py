"""Terms that exist already: published ones, or those of another program, from a field or a file.

They are put into the form of all terms (lower case, hyphens for blanks) and must be as many as asked for. A
term that occurs twice is kept, because identifiers that were published so are compared with figures
published for them.
"""

from __future__ import annotations

from pathlib import Path

from genrec_core import DataError, Items
from genrec_core.contracts.identifiers import Tokens
from genrec_core.data.identifier_file import read_identifiers, tokens_of
from genrec_plugin_grlm.answer import Malformed, checked_terms


def given_terms(items: Items, field: str, file: Path | None, count: int) -> list[Tokens | Malformed]:
    """The terms of every item, or what is there instead; an item that is not in the file has none.

    Raises:
        DataError: the file cannot be read, or items have no such field.
    """
    if file is not None:
        named = read_identifiers(file, field)
        rows = [named.get(item_id, ()) for item_id in items.ids]
    elif field in items.fields:
        rows = [tokens_of(value) for value in items.fields[field]]
    else:
        raise DataError(
            f"items have no field `{field}`", hint=f"fields are: {', '.join(items.fields) or 'none'}"
        )
    return [checked_terms(row, count, ", ".join(row), repeats=True) for row in rows]
