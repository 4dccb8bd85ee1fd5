"""Items as a person names them on the command line: by id, or by the title that one item alone has.

find_items("1001,1007", items)      # two ids
find_items("Folding chair", items)  # a title
"""

from __future__ import annotations

from genrec_core.contracts.errors import GenrecError, examples, printable
from genrec_core.contracts.items import Items
from genrec_core.registry.problems import did_you_mean
from genrec_core.registry.problems import shown as quoted

BEGINS_ALIKE = 3
"""Letters that a suggestion shares with what was typed: comparing with a million titles takes seconds."""
LOOKED_AT = 1_000
"""Suggestions that are compared in full."""


def find_items(text: str, items: Items, *, titles: bool = False) -> list[int]:
    """The items that a text names: ids with commas between, or one title.

    Ids are taken as they stand. Only a text of which no part is an id is looked up among the titles, and only
    a title that one item alone has is taken; upper and lower case are alike there.

    Args:
        text: what was typed.
        items: the catalogue.
        titles: the text is a title, or a part of one that one item alone has, even where it is an id too.

    Raises:
        GenrecError: a part names no item, or several.
    """
    if titles:
        return [_titled(text, items, part=True)]
    if text in items.ids:
        return [items.index_of(text)]
    parts = text.split(",")
    known = [part in items.ids for part in parts]
    if all(known):
        return [items.index_of(part) for part in parts]
    if any(known):
        strange = parts[known.index(False)]
        raise GenrecError(
            f"no item has the id {quoted(strange)}",
            where=_where(text),
            hint="give each item its own --history; with --titles they are titles",
        )
    return [_titled(text, items, part=False)]


def _titled(text: str, items: Items, *, part: bool) -> int:
    """The one item with this title, or, as a second choice, with this part of one."""
    wanted = text.strip().casefold()
    titles = _titles(items)
    folded = [title.casefold() for title in titles]
    found = [item for item, title in enumerate(folded) if wanted and title == wanted]
    if not found and part:
        found = [item for item, title in enumerate(folded) if wanted and wanted in title]
    if len(found) == 1:
        return found[0]
    if found:
        several = examples(f"{items.ids[item]} {titles[item]}" for item in found)
        raise GenrecError(
            f"{quoted(text)} fits {len(found):,} items: {several}", where=_where(text), hint="give the id"
        )
    what = "title" if part else "id or title"
    near = _near(text, titles if part else [*items.ids, *titles])
    raise GenrecError(f"no item has the {what} {quoted(text)}", where=_where(text), hint=near)


def _near(text: str, names: list[str]) -> str:
    """A hint at what was meant, found quickly: comparing with each of a million titles takes seconds."""
    wanted = text.strip().casefold()
    begin = wanted[:BEGINS_ALIKE]
    alike = [one for one in names if one.casefold().startswith(begin)]
    hint = did_you_mean(text, alike[:LOOKED_AT], otherwise=" ").strip()
    if not hint and len(wanted) > 2 and any(wanted in name.casefold() for name in names):
        hint = "a part of a title is looked up with --titles"
    return hint or "give an id, or a whole title"


def _titles(items: Items) -> list[str]:
    """What people call each item, where a field says it."""
    named = next((field for field in ("title", "name", *items.text_fields) if field in items.fields), None)
    return [items.value(item, named) for item in range(len(items))] if named else []


def _where(text: str) -> str:
    return f"--history {printable(text[:80])}"
