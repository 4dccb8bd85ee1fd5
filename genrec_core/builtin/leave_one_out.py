"""`core/leave-one-out` and `core/domain-last`: the last item is the test, the one before it the validation.

The first looks at a user's whole sequence:

    a b c d e   →   train a b c · valid (a b c → d) · test (a b c d → e)

The second does so in every domain. This is the cross-domain protocol: one sequence mixes several domains, and
each domain is evaluated by itself. Training leaves out the held-out items and nothing else; what an example
asks for is always later than its history. (Stopping at the first held-out item of any domain, `training:
before-held-out`, costs half of the data where domains come in phases.) A test row shows all that came before
it; a validation row shows the same without other domains' test items, so that nothing the trainer receives
contains a test item.

    books b, films f:  b1 b2 f1 b3 f2 f3   →  test b3 f3 · valid b2 f2 · train b1 f1
    history of the test row of f3: b1 b2 f1 b3 f2 · with `before-held-out` train b1
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


class DomainLast(Split):
    """Leave-one-out inside every domain of a mixed sequence."""

    version = "2"

    class Options(Split.Options):
        """Options of `core/domain-last`."""

        short_users: Literal["train", "refuse"] = "train"
        """Users with fewer than three items in a domain: `train` gives them no row there, and counts them."""
        training: Literal["all-but-held-out", "before-held-out"] = "all-but-held-out"
        """What is trained on: all items that are not held out, or those before the user's first held-out item
        of any domain."""

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views; each held-out row carries its domain.

        Raises:
            DataError: the data has no domains, or too few items in all of them.
        """
        if not dataset.domains:
            raise DataError(
                "a split by domain needs domains, and this data has none",
                hint="name the item field that tells them: `source: {use: core/folder, domain_field: …}`",
            )
        rows, positions, left, sizes = _countdown(dataset)
        enough = sizes >= _SHORTEST
        short = int(((left == 0) & ~enough).sum())
        if short and self.options.short_users == "refuse":
            raise DataError(
                f"{short:,} times a user has fewer than {_SHORTEST} items in a domain",
                hint="choose `short_users: train` to give such users no row in that domain",
            )
        if not enough.any():
            raise DataError(
                f"no user has {_SHORTEST} items in one domain", hint="use more data, or core/leave-one-out"
            )
        test, valid = enough & (left == 0), enough & (left == 1)
        held = test | valid
        visible = dataset.sequences.lengths.copy()
        if self.options.training == "before-held-out":
            np.minimum.at(visible, rows[held], positions[held])
        notes = [f"{short:,} times a user with fewer than {_SHORTEST} items in a domain got no row there"]
        return Views(
            train=training_view(dataset, visible, max_history, hidden=held),
            valid=held_out_view(dataset, "valid", (rows[valid], positions[valid]), max_history, hidden=test),
            test=held_out_view(dataset, "test", (rows[test], positions[test]), max_history),
            notes=tuple(notes if short else ()),
            oracle=dataset.oracle,
        )


def _countdown(
    dataset: Dataset,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For every interaction: row, position, how many of its user and domain follow, how many there are."""
    lengths = dataset.sequences.lengths
    rows = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    positions = np.arange(len(rows), dtype=np.int64) - dataset.sequences.offsets[rows]
    labels = {label: code for code, label in enumerate(dict.fromkeys(dataset.domains))}
    groups = rows * len(labels) + np.array([labels[label] for label in dataset.domains], dtype=np.int64)
    order = np.lexsort((positions, groups))
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    ranks = np.empty(len(rows), dtype=np.int64)
    sizes = np.empty(len(rows), dtype=np.int64)
    ranks[order] = np.arange(len(rows)) - np.repeat(starts, counts)
    sizes[order] = np.repeat(counts, counts)
    return rows, positions, sizes - 1 - ranks, sizes
