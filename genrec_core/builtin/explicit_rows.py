"""`core/rows`: validation and test rows come with the data; training stops before a user's first one.

The rows and the sequences often show the same user. Each row is looked for in its user's sequence: its
history must stand there, followed by its target or by the end. The sequence is cut before the earliest
such target, so no held-out step is trained on. A row that cannot be found says nothing about when it
happened: then the user's whole sequence stays out of training. Both are counted.

    sequence a b c d e · valid row (b → c) · test row (c d → e)   →   train a b
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Dataset, EvaluationRows
from genrec_core.contracts.errors import DataError, examples
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import View, Views
from genrec_core.data.cutting import training_view
from genrec_core.data.row_file import repeated_rows

REPEATED_HINT = "remove them from valid.jsonl and test.jsonl, or write `repeated: keep` if they are meant"


class ExplicitRows(Split):
    """Uses the rows of `valid.jsonl` and `test.jsonl`."""

    version = "1"

    class Options(Split.Options):
        """Options of `core/rows`."""

        repeated: Literal["refuse", "keep"] = "refuse"
        """Rows that come twice, or are validation and test rows at once: refused, or kept and counted."""

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views.

        Raises:
            DataError: rows are missing or repeated, or nothing is left to train on.
        """
        valid, test = _present(dataset.valid, "valid"), _present(dataset.test, "test")
        repeated = repeated_rows(valid, test, max_history)
        if repeated and self.options.repeated == "refuse":
            raise DataError("; ".join(repeated), hint=REPEATED_HINT)
        lengths, notes = _visible(dataset, (valid, test))
        if not (lengths > 1).any():
            raise DataError(
                "no user has two items before the first held-out row, so nothing is left to train on",
                hint="bring sequences that begin before the rows of valid.jsonl and test.jsonl",
            )
        return Views(
            train=training_view(dataset, lengths, max_history),
            valid=_view("valid", valid, dataset, max_history),
            test=_view("test", test, dataset, max_history),
            notes=(*notes, *repeated),
            oracle=dataset.oracle,
        )


def _present(rows: EvaluationRows | None, name: str) -> EvaluationRows:
    if rows is None or not len(rows):
        raise DataError(
            f"the data has no {name} rows",
            hint=f"write {name}.jsonl (user_id, history, target), or use core/leave-one-out",
        )
    return rows


def _visible(dataset: Dataset, parts: Sequence[EvaluationRows]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """How much of each sequence may be trained on, int64 [rows], and what had to be done."""
    lengths = dataset.sequences.lengths.copy()
    place = {user: row for row, user in enumerate(dataset.users)}
    absent: set[str] = set()
    unlocated: dict[str, None] = {}
    for part in parts:
        for index, user in enumerate(part.users):
            if user not in place:
                absent.add(user)
                continue
            row = place[user]
            sequence = dataset.sequences.row(row).tolist()
            cut = locate(sequence, part.histories.row(index).tolist(), int(part.targets[index]))
            if cut is None:
                unlocated[user] = None
            lengths[row] = min(lengths[row], cut or 0)
    shortened = int((lengths < dataset.sequences.lengths).sum())
    notes = [f"{shortened:,} of {len(lengths):,} training sequences were cut before their first held-out row"]
    if unlocated:
        notes.append(
            f"{len(unlocated):,} users have a row that is not in their sequence and are not in training: "
            f"{examples(unlocated)}"
        )
    if absent:
        notes.append(f"{len(absent):,} users have rows but no training sequence: {examples(sorted(absent))}")
    return lengths, tuple(notes)


def locate(sequence: list[int], history: list[int], target: int) -> int | None:
    """The earliest position that a row's target can have in its user's sequence; None if there is none.

    >>> locate([5, 6, 7, 8], [6, 7], 8), locate([5, 6], [5, 6], 9), locate([5, 6], [6, 5], 9)
    (3, 2, None)
    """
    size = len(history)
    for end in range(size, len(sequence) + 1):
        if sequence[end - size : end] == history and (end == len(sequence) or sequence[end] == target):
            return end
    return None


def _view(name: str, rows: EvaluationRows, dataset: Dataset, max_history: int) -> View:
    """A view that owns copies of the rows."""
    domain_of = _domain_of(dataset)
    return View(
        name=name,
        users=rows.users,
        rows=type(rows.histories)(rows.histories.values.copy(), rows.histories.offsets.copy()),
        targets=rows.targets.copy(),
        max_history=max_history,
        domains=tuple(domain_of.get(item, "") for item in rows.targets.tolist()) if domain_of else (),
    )


def _domain_of(dataset: Dataset) -> dict[int, str]:
    """The domain of each item that occurs in a sequence."""
    return dict(zip(dataset.sequences.values.tolist(), dataset.domains, strict=False))
