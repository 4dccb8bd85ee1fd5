"""Items: the catalogue, by column.

Everything else names an item by its index into the catalogue (int32): ids are strings that appear only
where data comes in and where recommendations go out.

    >>> items = Items(("a1", "b2"), {"title": ["Tent", "Lamp"]})
    >>> items.index_of("b2"), items.text(0, ("title",))
    (1, 'Tent')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from genrec_core.contracts.errors import DataError


@dataclass(frozen=True)
class Items:
    """A catalogue of N items.

    Attributes:
        ids: item ids, in catalogue order; ties in rankings are broken by this order.
        fields: field name → N values (strings, lists of strings, numbers or None).
    """

    ids: tuple[str, ...]
    fields: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {item_id: index for index, item_id in enumerate(self.ids)}

    def index_of(self, item_id: str) -> int:
        """The index of an item id.

        Raises:
            DataError: no item has this id.
        """
        try:
            return self._index[item_id]
        except KeyError:
            raise DataError(
                f"item `{item_id}` is not in the catalogue of {len(self):,} items",
                hint="check the id's spelling; `items.jsonl` lists the ids",
            ) from None

    @cached_property
    def text_fields(self) -> tuple[str, ...]:
        """Fields that hold text (a string or a list of strings) for at least one item."""
        return tuple(name for name, values in self.fields.items() if any(_as_text(value) for value in values))

    def value(self, item: int, field: str) -> str:
        """One field of one item as text; empty if the item has none.

        Raises:
            DataError: no item has such a field.
        """
        if field not in self.fields:
            raise DataError(
                f"items have no field `{field}`", hint=f"fields are: {', '.join(self.fields) or 'none'}"
            )
        return _as_text(self.fields[field][item])

    def text(self, item: int, fields: Sequence[str] = ()) -> str:
        """The named fields (all text fields if none is named) of one item, joined by a period."""
        parts = (self.value(item, field) for field in fields or self.text_fields)
        return ". ".join(part for part in parts if part)

    def by_value(self, field: str) -> dict[str, frozenset[int]]:
        """Value of a field as text → the items that have it; items without one are left out.

        Raises:
            DataError: no item has such a field.
        """
        found: dict[str, list[int]] = {}
        for item in range(len(self)):
            if value := self.value(item, field):
                found.setdefault(value, []).append(item)
        return {value: frozenset(items) for value, items in found.items()}

    def subset(self, indices: Iterable[int]) -> Items:
        """The catalogue of only these items, in the order given."""
        chosen = list(indices)
        fields = {name: [values[i] for i in chosen] for name, values in self.fields.items()}
        return Items(tuple(self.ids[i] for i in chosen), fields)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return ""
