"""Rules: who may not be recommended what, from ids and fields to sets of items.

    rules = Rules(items)
    rules.only({"brand": "Zorg"})              # items of that brand
    rules.only({"brand": ["Zorg", "Acme"], "colour": "red"})     # of either brand, and red
    rules.only(["1001", "1007"])               # these ids alone

A rule becomes one `frozenset` of item indices that all requests under it share: what follows from it over the
trie is then worked out once. A value matches a field that is equal to it as text (numbers 7 and 7.0 are), or
a list that holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.contracts.items import Items
from genrec_core.registry.problems import did_you_mean, shown

Only = Mapping[str, Any] | Iterable[Any] | None
"""Field → value or values, or the ids of items; None for all items."""


KEPT = 256
"""Rules whose items are remembered; whoever asks a server may invent new ones without end."""


class RuleArguments(TypedDict, total=False):
    """The rules of a call, by keyword.

    Attributes:
        only: recommend these items alone: `{field: value or values}`, or ids.
        exclude: ids never to recommend.
        exclude_viewed: leave out the items of each history; by default as the run's evaluation does.
    """

    only: Only
    exclude: Iterable[Any]
    exclude_viewed: bool | None


class Rules:
    """The rules that are possible for one catalogue.

    Args:
        items: the catalogue.
    """

    def __init__(self, items: Items) -> None:
        self._items = items
        self.known = {item_id: index for index, item_id in enumerate(items.ids)}
        """Id of an item → its index."""
        self._by_field: dict[str, dict[str, set[int]]] = {}
        self._made: dict[Any, frozenset[int]] = {}

    def index_of(self, item_id: Any) -> int | None:
        """The index of an item, None where no item has this id. Whole numbers are ids too."""
        return self.known.get(item_id if isinstance(item_id, str) else str(item_id))

    def only(self, rule: Only, notes: list[str] | None = None) -> frozenset[int] | None:
        """The items that a rule leaves.

        Args:
            rule: see `Only`.
            notes: where to say how many ids no item has.

        Raises:
            GenrecError: no item has such a field, or such a value in it; or none of the ids is an item's.
        """
        if rule is None:
            return None
        if not isinstance(rule, Mapping):
            found = frozenset(self.named(rule, "only", notes))
            if not found:
                raise GenrecError("`only` names no item of the catalogue", hint="give ids of its items")
            return found
        key = tuple((name, _values(value)) for name, value in rule.items())
        made = self._made.get(key)
        if made is None:
            left = set(range(len(self._items)))
            for name, values in key:
                left &= set[int]().union(*(self._with(name, value) for value in values))
            while len(self._made) >= KEPT:
                self._made.pop(next(iter(self._made)), None)
            made = self._made[key] = frozenset(left)
        return made

    def named(self, ids: Iterable[Any], what: str, notes: list[str] | None = None) -> tuple[int, ...]:
        """The items with these ids, each once; ids that no item has are counted in `notes`."""
        if isinstance(ids, str):
            ids = [ids]
        every = list(ids)
        found = [self.index_of(one) for one in every]
        unknown = [one for one, index in zip(every, found, strict=True) if index is None]
        if unknown and notes is not None:
            which = examples(str(one) for one in unknown)
            notes.append(f"{len(unknown):,} of {len(every):,} ids of `{what}` are no items: {which}")
        return tuple(dict.fromkeys(index for index in found if index is not None))

    def _with(self, field: str, value: str) -> set[int]:
        """Items with this value in a field.

        Raises:
            GenrecError: there is no such field or value.
        """
        fields = self._items.fields
        if field not in fields:
            hint = did_you_mean(field, fields, otherwise=f"fields are: {', '.join(fields) or 'none'}")
            raise GenrecError(f"items have no field {shown(field)}", where=f"only {field}={value}", hint=hint)
        if field not in self._by_field:
            by_value: dict[str, set[int]] = {}
            for item, found in enumerate(fields[field]):
                for one in _values(found):
                    by_value.setdefault(one, set()).add(item)
            self._by_field[field] = by_value
        known = self._by_field[field]
        if value not in known:
            some = sorted(known, key=lambda one: -len(known[one]))
            hint = did_you_mean(value, some[:1000], otherwise=f"values are: {examples(some)}")
            raise GenrecError(
                f"no item has the value {shown(value)} in the field `{field}`",
                where=f"only {field}={value}",
                hint=hint,
            )
        return known[value]


def _values(value: Any) -> tuple[str, ...]:
    """A value, or each of a list of them, as text; nothing for None."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(text for one in value for text in _values(one))
    if isinstance(value, bool):
        return ("true" if value else "false",)
    whole = isinstance(value, float) and value.is_integer()
    return (str(int(value)) if whole else str(value),)
