"""`core/with-validation`: another split whose validation rows are training rows too.

After every choice is made, validation rows need not be kept from training any more. This split hands them to
it: behind the items that a user has in the training view, the targets of the user's validation rows, in their
order. Nothing is left to choose by, so everything that was chosen has to be written down; `genrec refit` does
that with a finished run. The test rows are those of the other split; figures under this one are another
protocol's and never stand in a column with those of the other.

    train  u: a b     valid  u: a b → c     test  u: a b c → d
    now    u: a b c          none                 u: a b c → d
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import Field

from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import View, Views


class WithValidation(Split):
    """Another split, its validation rows given to training."""

    class Options(Split.Options):
        """Which split."""

        split: Split = Field(default={"use": "core/leave-one-out"}, validate_default=True)
        """The split whose validation rows are handed over."""

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training and test views, and a validation view without rows."""
        views = self.options.split.split(dataset, max_history)
        note = f"{len(views.valid):,} validation rows are training rows too, and nothing is selected"
        none = _without_rows(views.valid)
        return replace(views, train=joined(views.train, views.valid), valid=none, notes=(*views.notes, note))


@dataclass
class _Row:
    """One user's items, with what lies beside them."""

    user: str
    items: list[int]
    times: list[float] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)


def joined(train: View, valid: View) -> View:
    """A training view with the targets of validation rows behind each user's items.

    A user whom the training view does not have gets a row of the history and the targets; of such a history
    only the target's time and domain are known, and stand for its own.
    """
    rows: list[_Row] = []
    last: dict[str, _Row] = {}
    for place, user in enumerate(train.users):
        part = slice(int(train.rows.offsets[place]), int(train.rows.offsets[place + 1]))
        times = train.times[part].tolist() if train.times is not None else []
        rows.append(_Row(user, train.rows.values[part].tolist(), times, list(train.domains[part])))
        last[user] = rows[-1]
    targets: Sequence[int] = valid.targets.tolist() if valid.targets is not None else ()
    for place, (user, target) in enumerate(zip(valid.users, targets, strict=True)):
        row, history = last.get(user), []
        if row is None:
            row = last[user] = _Row(user, [])
            rows.append(row)
            history = valid.rows.row(place).tolist()
        row.items += [*history, target]
        count = len(history) + 1
        if train.times is not None and valid.times is not None:
            row.times += [float(valid.times[place])] * count
        if train.domains:
            row.domains += [valid.domains[place]] * count
    return replace(
        train,
        users=tuple(row.user for row in rows),
        rows=Sequences.of([row.items for row in rows]),
        times=np.array([t for row in rows for t in row.times], dtype=np.float64)
        if train.times is not None
        else None,
        domains=tuple(domain for row in rows for domain in row.domains),
        attributes={**valid.attributes, **train.attributes},
    )


def _without_rows(view: View) -> View:
    """The view with no row left."""
    return replace(
        view,
        users=(),
        rows=Sequences.of([]),
        targets=np.zeros(0, dtype=np.int32),
        times=None if view.times is None else np.zeros(0, dtype=np.float64),
        domains=(),
    )
