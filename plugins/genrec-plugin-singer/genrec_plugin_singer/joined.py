"""`singer/joined`: several data sets as one, so that one tokenizer can name all their items.

Items and users get their set's name before their id, and every item a field that says which set it is from:

    source:
      use: singer/joined
      parts:
        industrial: {use: core/folder, path: industrial}
        office: {use: core/folder, path: office}

Nobody is in two sets: a user id that occurs in both stands for two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from genrec_core import Context, DataError, Dataset, Items, Rows, Sequences, Source


class Joined(Source):
    """The union of data sets; their sequences and explicit rows stay as they are."""

    version = "1"

    class Options(Source.Options):
        """What is joined."""

        parts: dict[str, Source]
        """Name → source."""
        field: str = Field("domain", min_length=1)
        """The item field that tells from which part an item is."""

        @field_validator("parts")
        @classmethod
        def _several(cls, parts: dict[str, Source]) -> dict[str, Source]:
            if len(parts) < 2:
                raise ValueError("joining takes at least two parts")
            return parts

    options: Options

    def load(self, context: Context) -> Dataset:
        """The joined data set.

        Raises:
            DataError: a part already has the field.
        """
        parts = {name: source.load(context) for name, source in self.options.parts.items()}
        sizes = [len(part.items) for part in parts.values()]
        shifts = dict(zip(parts, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        every = list(parts.values())
        timed = all(part.times is not None for part in every)
        return Dataset(
            items=self._items(parts),
            users=tuple(f"{name}:{user}" for name, part in parts.items() for user in part.users),
            sequences=_stacked((part.sequences, shifts[name]) for name, part in parts.items()),
            times=np.concatenate([part.times for part in every if part.times is not None]) if timed else None,
            domains=tuple(name for name, part in parts.items() for _ in part.sequences.values),
            attributes={
                f"{name}:{user}": fields
                for name, part in parts.items()
                for user, fields in part.attributes.items()
            },
            valid=_rows({name: part.valid for name, part in parts.items()}, shifts),
            test=_rows({name: part.test for name, part in parts.items()}, shifts),
            notes=tuple(f"{name}: {note}" for name, part in parts.items() for note in part.notes),
        )

    def _items(self, parts: Mapping[str, Dataset]) -> Items:
        mark = self.options.field
        names = dict.fromkeys(field for part in parts.values() for field in part.items.fields)
        if mark in names:
            raise DataError(
                f"items already have a field `{mark}`", hint="name another one: `field: part`, for example"
            )
        fields = {
            field: [value for part in parts.values() for value in _column(part, field)] for field in names
        }
        fields[mark] = [name for name, part in parts.items() for _ in part.items.ids]
        ids = (f"{name}:{item}" for name, part in parts.items() for item in part.items.ids)
        return Items(tuple(ids), fields)


def _column(part: Dataset, field: str) -> Sequence[Any]:
    return part.items.fields.get(field, [None] * len(part.items))


def _stacked(parts: Iterable[tuple[Sequences, int]]) -> Sequences:
    return Sequences.of(
        sequences.row(row) + np.int32(shift) for sequences, shift in parts for row in range(len(sequences))
    )


def _rows(parts: Mapping[str, Rows | None], shifts: Mapping[str, int]) -> Rows | None:
    """The explicit rows of the parts that bring some."""
    there = {name: rows for name, rows in parts.items() if rows is not None}
    if not there:
        return None
    return Rows(
        tuple(f"{name}:{user}" for name, rows in there.items() for user in rows.users),
        _stacked((rows.histories, shifts[name]) for name, rows in there.items()),
        np.concatenate([rows.targets + np.int32(shifts[name]) for name, rows in there.items()]),
    )
