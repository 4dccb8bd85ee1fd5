"""What a source promises: a dataset that is consistent in itself, and the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec_core.contracts.dataset import Dataset, EvaluationRows, Sequences
from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import NotApplicable, require


def gives_a_dataset(subject: Subject) -> None:
    """There are items, with distinct ids that are non-empty strings, and as many values in every field."""
    items = _load(subject).items
    require(len(items), "the catalogue is empty")
    require(all(isinstance(i, str) and i for i in items.ids), "item ids must be non-empty strings")
    require(len(set(items.ids)) == len(items), "two items have the same id")
    ragged = [name for name, values in items.fields.items() if len(values) != len(items)]
    require(not ragged, f"fields without one value an item: {', '.join(ragged)}")


def gives_items_with_text(subject: Subject) -> None:
    """At least one field holds text, since identifiers and prompts are made of it."""
    require(_load(subject).items.text_fields, "no item field holds text")


def gives_sequences_of_its_items(subject: Subject) -> None:
    """Sequences, one a user, point at items of the catalogue; times and domains lie beside them."""
    data = _load(subject)
    require(len(data.users) == len(data.sequences), "`users` and `sequences` differ in length")
    require(all(isinstance(user, str) and user for user in data.users), "user ids must be non-empty strings")
    _require_inside(data.sequences, len(data.items), "sequences")
    total = len(data.sequences.values)
    require(data.times is None or len(data.times) == total, "`times` is not one an interaction")
    require(not data.domains or len(data.domains) == total, "`domains` is not one an interaction")


def keeps_time_order(subject: Subject) -> None:
    """Each user's interactions are in time order."""
    data = _load(subject)
    if data.times is None:
        raise NotApplicable("the data has no times")
    require(np.isfinite(data.times).all(), "a time is not finite")
    backwards = np.diff(data.times) < 0
    ends = data.sequences.offsets[1:-1] - 1
    backwards[ends[(ends >= 0) & (ends < len(backwards))]] = False
    require(not backwards.any(), f"{int(backwards.sum())} interactions come before the one they follow")


def gives_rows_that_fit(subject: Subject) -> None:
    """Explicit validation and test rows point at items of the catalogue."""
    data = _load(subject)
    rows: list[EvaluationRows] = [rows for rows in (data.valid, data.test) if rows is not None]
    if not rows:
        raise NotApplicable("the data brings no explicit rows")
    for part in rows:
        require(len(part) == len(part.histories) == len(part.targets), "rows differ in length")
        _require_inside(part.histories, len(data.items), "histories")
        inside = ((part.targets >= 0) & (part.targets < len(data.items))).all()
        require(inside, "a row's target is outside the catalogue")


def knows_a_law_that_sums_to_one(subject: Subject) -> None:
    """An oracle gives the next item a probability for every item."""
    data = _load(subject)
    if data.oracle is None:
        raise NotApplicable("the data has no oracle")
    probabilities = data.oracle.next_item(data.sequences.row(0)[:3])
    shape = probabilities.shape
    require(shape == (len(data.items),), f"the oracle's probabilities have shape {shape}")
    total = float(probabilities.sum())
    require((probabilities >= 0).all() and abs(total - 1) < 1e-6, "the oracle gives no distribution")


def agrees_with_itself(subject: Subject) -> None:
    """Two loads give the same data."""
    first, second = _load(subject), _load(subject)
    same = (
        first.items.ids == second.items.ids
        and first.users == second.users
        and np.array_equal(first.sequences.values, second.sequences.values)
    )
    require(same, "two loads gave different data")


def names_inputs_that_exist(subject: Subject) -> None:
    """What `inputs()` lists is there, so that the plan can notice when it changes."""
    absent = [path for path in subject.component().inputs() if not path.exists()]
    require(not absent, f"`inputs()` lists what does not exist: {absent}")


def _load(subject: Subject) -> Dataset:
    data: Dataset = subject.component().load(subject.context("load"))
    return data


def _require_inside(sequences: Sequences, items: int, what: str) -> None:
    values, offsets = sequences.values, sequences.offsets
    require(values.dtype == np.int32, f"{what} must be int32, are {values.dtype}")
    inside = len(values) == 0 or (values.min() >= 0 and values.max() < items)
    require(inside, f"{what} point outside the catalogue")
    whole = offsets[0] == 0 and offsets[-1] == len(values) and (np.diff(offsets) >= 0).all()
    require(whole, f"{what} have offsets that do not cut them into rows")


def result(subject: Subject) -> Any:
    """The data."""
    data = _load(subject)
    rows = [data.sequences.row(row) for row in range(len(data.sequences))]
    return [data.items.ids, data.items.fields, data.users, rows, data.times, data.domains, data.attributes]


CHECKS = (
    gives_a_dataset,
    gives_items_with_text,
    gives_sequences_of_its_items,
    keeps_time_order,
    gives_rows_that_fit,
    knows_a_law_that_sums_to_one,
    agrees_with_itself,
    names_inputs_that_exist,
)
