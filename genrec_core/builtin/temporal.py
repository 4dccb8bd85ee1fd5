"""`core/temporal`: one moment in time parts training from validation, a later one validation from test.

Every item but a user's first is a target with a time. The targets are sorted over all users; the oldest
80 % are for training, the next 10 % for validation, the newest 10 % for test. Targets of one moment stay
together, on the later side, so the latest training time is always before the earliest validation time.
A user can have many rows; a row's history is everything that user did before its target.

    target times 1 … 10  →  train 1–8 · valid 9 · test 10
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import Views
from genrec_core.data.cutting import held_out_view, training_view


class Temporal(Split):
    """A global split by time."""

    version = "1"

    class Options(Split.Options):
        """Options of `core/temporal`."""

        train: float = Field(0.8, gt=0, lt=1)
        """Share of the targets that are for training."""
        valid: float = Field(0.1, gt=0, lt=1)
        """Share for validation; what remains is the test."""

        @model_validator(mode="after")
        def _something_remains(self) -> Temporal.Options:
            if self.train + self.valid >= 1:
                raise ValueError("`train` and `valid` together must be less than 1, so that a test remains")
            return self

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views.

        Raises:
            DataError: there are no times, or too few different ones to fill three parts.
        """
        if dataset.times is None:
            raise DataError(
                "a temporal split needs timestamps, and this data has none",
                hint="add `timestamps` to the data, or use `split: {use: core/leave-one-out}`",
            )
        rows, positions = _windows(dataset)
        times = dataset.times[dataset.sequences.offsets[rows] + positions]
        first_valid, first_test = self._moments(times)
        valid = (times >= first_valid) & (times < first_test)
        test = times >= first_test
        if not (times < first_valid).any() or not valid.any():
            raise DataError(
                f"{len(times):,} targets have too few different times to be cut at "
                f"{self.options.train:g} and {self.options.train + self.options.valid:g}",
                hint="choose other shares, or use `split: {use: core/leave-one-out}`",
            )
        visible = _count_before(dataset, dataset.times, first_valid)
        unseen = int((visible == 0).sum())
        notes = [
            f"targets: {(times < first_valid).sum():,} train, {valid.sum():,} valid, {test.sum():,} test"
        ]
        if unseen:
            notes.append(f"{unseen:,} users appear only after the training time and are not in training")
        return Views(
            train=training_view(dataset, visible, max_history),
            valid=held_out_view(dataset, "valid", (rows[valid], positions[valid]), max_history),
            test=held_out_view(dataset, "test", (rows[test], positions[test]), max_history),
            notes=tuple(notes),
            oracle=dataset.oracle,
        )

    def _moments(self, times: NDArray[np.float64]) -> tuple[float, float]:
        ordered = np.sort(times)
        if len(ordered) == 0:
            raise DataError(
                "no user has two items, so nothing can be predicted",
                hint="a temporal split needs users with at least two interactions",
            )
        # A rounding error in 0.8 × 10 must not move a boundary by a whole target.
        shares = (self.options.train, self.options.train + self.options.valid)
        cuts = [min(int(round(share * len(ordered), 6)), len(ordered) - 1) for share in shares]
        return float(ordered[cuts[0]]), float(ordered[cuts[1]])


def _windows(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and position of every item but the first of its row."""
    lengths = dataset.sequences.lengths
    rows = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    positions = np.arange(len(rows), dtype=np.int64) - dataset.sequences.offsets[rows]
    return rows[positions > 0], positions[positions > 0]


def _count_before(dataset: Dataset, times: NDArray[np.float64], moment: float) -> NDArray[np.int64]:
    before = np.concatenate([[0], np.cumsum(times < moment)])
    offsets = dataset.sequences.offsets
    return np.asarray(before[offsets[1:]] - before[offsets[:-1]], dtype=np.int64)
