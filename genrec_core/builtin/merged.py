"""`core/merged`: several data sets as one, a domain each.

    source:
      use: core/merged
      parts:
        books: {use: core/folder, path: books}
        films: {use: core/folder, path: films}

Items get their part's name before their id and an item field that says which part they are from. Every
interaction carries it as its domain, so `core/domain-last` evaluates each domain by itself.

    users: shared       one user id is one user wherever it occurs: the interactions with all parts become one
                        sequence in time order. Cross-domain data; `keep` says whether users who are not in
                        every part stay.
    users: separate     a user id that occurs in two parts stands for two users, and sequences stay as they
                        are. Joint training on many data sets.

Times decide the order of a shared sequence, so every part needs them; of equal times the part listed first
comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Dataset, EvaluationRows, Sequences
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.contracts.source import Source
from genrec_core.data.doubtful_times import mixed_times, year
from genrec_core.registry.problems import OptionsError, Problem

Parts = Mapping[str, Dataset]


class Merged(Source):
    """The union of data sets, over shared or separate users."""

    version = "1"

    class Options(Source.Options):
        """What is merged, and who is who."""

        parts: dict[str, Source]
        """Name of a domain → source."""
        users: Literal["shared", "separate"] = "shared"
        """Whether a user id that occurs in several parts is one user or several."""
        keep: Literal["overlapping", "all"] = "overlapping"
        """With `users: shared`: only users that occur in every part (as in cross-domain papers), or all."""
        field: str = Field("domain", min_length=1)
        """The item field that tells from which part an item is."""

        @model_validator(mode="before")
        @classmethod
        def _renamed(cls, values: Any) -> Any:
            if isinstance(values, dict) and "people" in values:
                hint = f"write `users: {values['people']}`"
                raise OptionsError(
                    [Problem(("people",), "`people` is now called `users`", hint, on_key=True)]
                )
            return values

        @field_validator("parts")
        @classmethod
        def _several(cls, parts: dict[str, Source]) -> dict[str, Source]:
            if len(parts) < 2:
                raise ValueError("merging takes at least two parts")
            return parts

    options: Options

    def load(self, context: Context) -> Dataset:
        """The merged data set.

        Raises:
            DataError: a part has the field already, lacks times that are needed, has them in another unit,
                brings rows of its own that a shared sequence would contradict, or no user is in every part.
        """
        parts = {name: source.load(context) for name, source in self.options.parts.items()}
        _must_share_a_unit(parts)
        shifts = _shifts(parts)
        items = self._items(parts)
        notes = tuple(f"{name}: {note}" for name, part in parts.items() for note in part.notes)
        if self.options.users == "separate":
            return _beside(parts, shifts, items, notes)
        return self._together(parts, shifts, items, notes)

    def _items(self, parts: Parts) -> Items:
        mark = self.options.field
        names = dict.fromkeys(field for part in parts.values() for field in part.items.fields)
        if mark in names:
            raise DataError(
                f"items already have a field `{mark}`", hint="name another one: `field: part`, for example"
            )
        fields: dict[str, list[Any]] = {
            field: [v for p in parts.values() for v in p.items.fields.get(field, [None] * len(p.items))]
            for field in names
        }
        fields[mark] = [name for name, part in parts.items() for _ in part.items.ids]
        return Items(
            tuple(f"{name}:{item}" for name, part in parts.items() for item in part.items.ids), fields
        )

    def _together(
        self, parts: Parts, shifts: Mapping[str, int], items: Items, notes: tuple[str, ...]
    ) -> Dataset:
        _must_have_times(parts)
        users = self._users(parts)
        place = {user: row for row, user in enumerate(users)}
        rows, values, times, labels = [], [], [], []
        for number, (name, part) in enumerate(parts.items()):
            of_user = np.asarray([place.get(user, -1) for user in part.users], dtype=np.int64)
            owner = np.repeat(of_user, part.sequences.lengths)
            mine = owner >= 0
            rows.append(owner[mine])
            values.append(part.sequences.values[mine] + np.int32(shifts[name]))
            times.append(_times(part)[mine])
            labels.append(np.full(int(mine.sum()), number, dtype=np.int64))
        owner, when = np.concatenate(rows), np.concatenate(times)
        order = np.lexsort((when, owner))  # stable: of equal times the part listed first stays first
        names = list(parts)
        offsets = np.zeros(len(users) + 1, dtype=np.int64)
        np.cumsum(np.bincount(owner, minlength=len(users)), out=offsets[1:])
        every = len(set().union(*(part.users for part in parts.values())))
        return Dataset(
            items=items,
            users=users,
            sequences=Sequences(np.concatenate(values)[order].astype(np.int32), offsets),
            times=when[order],
            domains=tuple(names[label] for label in np.concatenate(labels)[order].tolist()),
            attributes=_attributes(parts, users),
            notes=(*notes, f"{len(users):,} of {every:,} users merged over {len(parts)} parts"),
        )

    def _users(self, parts: Parts) -> tuple[str, ...]:
        """Those who are kept, in order of first occurrence."""
        every = dict.fromkeys(user for part in parts.values() for user in part.users)
        if self.options.keep == "all":
            return tuple(every)
        there = [set(part.users) for part in parts.values()]
        kept = tuple(user for user in every if all(user in one for one in there))
        if not kept:
            raise DataError(
                f"no user id occurs in all of {', '.join(parts)}",
                hint="check that the parts name users alike, or write `keep: all` or `users: separate`",
            )
        return kept


def _shifts(parts: Parts) -> dict[str, int]:
    """Part → index of its first item in the merged catalogue."""
    sizes = [len(part.items) for part in parts.values()]
    return dict(zip(parts, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))


def _times(part: Dataset) -> NDArray[np.float64]:
    return part.times if part.times is not None else np.zeros(0)


def _must_have_times(parts: Parts) -> None:
    bare = [name for name, part in parts.items() if part.times is None]
    if bare:
        raise DataError(
            f"{', '.join(bare)}: no times, so nothing says what one user did first",
            hint="give interactions timestamps, or write `users: separate`",
        )
    rowed = [name for name, part in parts.items() if part.valid is not None or part.test is not None]
    if rowed:
        raise DataError(
            f"{', '.join(rowed)}: validation and test rows of its own, whose histories know one part only",
            hint="leave these files out and split the merged sequences: `split: core/domain-last`",
        )


def _must_share_a_unit(parts: Parts) -> None:
    """Refuse parts whose times cannot all be meant in one unit: their order would be that of the units."""
    spans = {
        name: (_times(part).min(), _times(part).max()) for name, part in parts.items() if len(_times(part))
    }
    if not spans:
        return
    doubt = mixed_times(min(first for first, _ in spans.values()), max(last for _, last in spans.values()))
    if doubt:
        listed = ", ".join(f"`{name}` {year(first)} to {year(last)}" for name, (first, last) in spans.items())
        raise DataError(
            f"{doubt} between the parts: {listed}",
            hint="bring the times of every part to seconds since 1970; an unknown time is no 0",
        )


def _attributes(parts: Parts, users: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """What is known of each user; of contradictions the first part's word stands."""
    merged: dict[str, dict[str, object]] = {}
    kept = set(users)
    for part in parts.values():
        for user, fields in part.attributes.items():
            if user in kept:
                merged[user] = {**fields, **merged.get(user, {})}
    return merged


def _beside(parts: Parts, shifts: Mapping[str, int], items: Items, notes: tuple[str, ...]) -> Dataset:
    timed = all(part.times is not None for part in parts.values())
    return Dataset(
        items=items,
        users=tuple(f"{name}:{user}" for name, part in parts.items() for user in part.users),
        sequences=_stacked({name: part.sequences for name, part in parts.items()}, shifts),
        times=np.concatenate([_times(part) for part in parts.values()]) if timed else None,
        domains=tuple(name for name, part in parts.items() for _ in part.sequences.values),
        attributes={
            f"{name}:{user}": fields
            for name, part in parts.items()
            for user, fields in part.attributes.items()
        },
        valid=_rows({name: part.valid for name, part in parts.items()}, shifts),
        test=_rows({name: part.test for name, part in parts.items()}, shifts),
        notes=notes,
    )


def _stacked(parts: Mapping[str, Sequences], shifts: Mapping[str, int]) -> Sequences:
    return Sequences.of(
        sequences.row(row) + np.int32(shifts[name])
        for name, sequences in parts.items()
        for row in range(len(sequences))
    )


def _rows(parts: Mapping[str, EvaluationRows | None], shifts: Mapping[str, int]) -> EvaluationRows | None:
    """The explicit rows of the parts that bring some."""
    there = {name: rows for name, rows in parts.items() if rows is not None}
    if not there:
        return None
    return EvaluationRows(
        tuple(f"{name}:{user}" for name, rows in there.items() for user in rows.users),
        _stacked({name: rows.histories for name, rows in there.items()}, shifts),
        np.concatenate([rows.targets + np.int32(shifts[name]) for name, rows in there.items()]),
    )
