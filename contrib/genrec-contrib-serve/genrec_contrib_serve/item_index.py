"""Items by what people call them: exact names in requests, parts of names in the search box.

index.named("i12")            item with this id
index.named("Red tent")       the one item with this title, upper and lower case alike
index.found("red te", 20)     items whose id or title holds every word, best first
"""

from __future__ import annotations

from collections.abc import Sequence

from genrec_core import Catalogue, GenrecError
from genrec_core.contracts.errors import examples, printable
from genrec_core.evaluation.report.facts import item_title

_LOOKED_AT = 2000
"""Matches of a search that are put in order; a search for `a` fits everything."""
_SHOWN = 80
"""Characters of a name that an error repeats."""


class ItemIndex:
    """Names of a catalogue's items, made once.

    Args:
        catalogue: the items.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._titles = [
            item_title(catalogue, item).strip().casefold() for item in range(len(catalogue.items))
        ]
        self._by_title: dict[str, list[int]] = {}
        for item, title in enumerate(self._titles):
            self._by_title.setdefault(title, []).append(item)
        self._by_id = {item_id: item for item, item_id in enumerate(catalogue.items.ids)}

    def named(self, name: str, where: str) -> int:
        """The item with an id, or the one item with a title.

        Raises:
            GenrecError: there is none, or several.
        """
        if name in self._by_id:
            return self._by_id[name]
        found = self._by_title.get(name.strip().casefold(), [])
        if len(found) == 1:
            return found[0]
        called = printable(name if len(name) <= _SHOWN else name[:_SHOWN] + "…")
        if found:
            ids = examples(self.catalogue.items.ids[item] for item in found)
            raise GenrecError(
                f"{len(found):,} items are called `{called}`: {ids}", where=where, hint="give the id"
            )
        raise GenrecError(
            f"no item has the id or title `{called}`", where=where, hint="`GET /items?query=…` finds items"
        )

    def all_named(self, names: Sequence[str], where: str) -> tuple[int, ...]:
        """The items with these names, in order."""
        return tuple(self.named(name, f"{where}.{place}") for place, name in enumerate(names))

    def found(self, query: str, limit: int) -> list[int]:
        """Items whose id or title holds every word of a query: whole names first, then beginnings.

        At most `limit`; of equally good ones the first in the catalogue.
        """
        wanted = query.strip().casefold()
        if not wanted:
            return list(range(min(limit, len(self._titles))))
        words, ranked = wanted.split(), []
        for item, title in enumerate(self._titles):
            name = self.catalogue.items.ids[item].casefold()
            if all(word in title or word in name for word in words):
                ranked.append((_rank(wanted, title, name), item))
                if len(ranked) >= _LOOKED_AT:
                    break
        return [item for _, item in sorted(ranked)[:limit]]


def _rank(wanted: str, title: str, name: str) -> int:
    """0 for a whole name, 1 for the beginning of one, 2 for the beginning of a word, 3 elsewhere."""
    if wanted in (title, name):
        return 0
    if title.startswith(wanted) or name.startswith(wanted):
        return 1
    return 2 if f" {wanted}" in title else 3
