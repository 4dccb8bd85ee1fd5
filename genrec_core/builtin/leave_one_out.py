"""`core/leave-one-out`: each user's last item is the test, the one before it the validation.

a b c d e   →   train a b c · valid (a b c → d) · test (a b c d → e)
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.errors import DataError, examples
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import Views
from genrec_core.data.cutting import held_out_view, training_view

_SHORTEST = 3


class LeaveOneOut(Split):
    """Holds out the last two items of every user who has at least three."""

    version = "1"

    class Options(Split.Options):
        """Options of `core/leave-one-out`."""

        short_users: Literal["train", "refuse"] = "train"
        """Users with fewer than three items: `train` keeps them for training only, and counts them."""

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views.

        Raises:
            DataError: no user has three items, or short users are refused and there are some.
        """
        lengths = dataset.sequences.lengths
        short = np.flatnonzero(lengths < _SHORTEST)
        long = np.flatnonzero(lengths >= _SHORTEST)
        self._check(dataset, short, len(long))
        notes = []
        if len(short):
            notes.append(f"{len(short):,} users with fewer than {_SHORTEST} items have no test row")
        single = int((lengths == 1).sum())
        if single:
            notes.append(f"{single:,} users with one item give no training example either")
        visible = np.where(lengths >= _SHORTEST, lengths - 2, lengths)
        return Views(
            train=training_view(dataset, visible, max_history),
            valid=held_out_view(dataset, "valid", (long, lengths[long] - 2), max_history),
            test=held_out_view(dataset, "test", (long, lengths[long] - 1), max_history),
            notes=tuple(notes),
            oracle=dataset.oracle,
        )

    def _check(self, dataset: Dataset, short: NDArray[np.int64], long: int) -> None:
        if not long:
            raise DataError(
                f"leave-one-out needs users with {_SHORTEST} items; none of {len(short):,} has so many",
                hint="use more data, or bring explicit rows (`split: {use: core/rows}`)",
            )
        if len(short) and self.options.short_users == "refuse":
            raise DataError(
                f"{len(short):,} users have fewer than {_SHORTEST} items: "
                f"{examples(dataset.users[row] for row in short)}",
                hint="remove them (`genrec data import --min-user 3`), or choose `short_users: train`",
            )
