"""`core/hide-items`: some items are treated as if they came after training, for cold start on any data.

A share of the catalogue, drawn from a seed of its own, is taken out of what another split shows to training
and validation: out of the sequences, and with them every validation row whose target is hidden. Test rows
stay as they are, so those whose target is hidden are the slice `cold`, and those whose history has hidden
items ask a model about items that it knows by name alone.

    hidden x · leave-one-out of a x b c x   →   train a b,  valid (a b → c),  test (a x b c → x)

The codebooks must not have seen hidden items either: `tokenizer: {learn_from: seen, …}`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import View, Views


class HideItems(Split):
    """Another split, with a share of the items hidden from training and validation."""

    version = "1"

    class Options(Split.Options):
        """Which split, and how much is hidden."""

        split: Split = Field(default={"use": "core/leave-one-out"}, validate_default=True)
        """The split that is made first."""
        share: float = Field(0.1, gt=0, lt=1)
        """Share of the catalogue that is hidden; at least one item."""
        seed: int = Field(0, ge=0)
        """Draws the items; not the pipeline's seed, so that several of those are evaluated alike."""

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views.

        Raises:
            DataError: the other split refuses the data, or nothing is left to train on.
        """
        views = self.options.split.split(dataset, max_history)
        hidden = self._hidden(len(dataset.items))
        train, valid = _without(views.train, hidden), _without(views.valid, hidden)
        if not len(train):
            raise DataError(
                f"without the {int(hidden.sum()):,} hidden items no user has two items to train on",
                hint="hide a smaller `share`",
            )
        assert views.test.targets is not None
        note = (
            f"{int(hidden.sum()):,} of {len(hidden):,} items are hidden from training: "
            f"{len(views.train.rows.values) - len(train.rows.values):,} interactions and "
            f"{len(views.valid) - len(valid):,} validation rows are left out, "
            f"{int(hidden[views.test.targets].sum()):,} of {len(views.test):,} test targets are among them"
        )
        return replace(views, train=train, valid=valid, notes=(*views.notes, note))

    def _hidden(self, items: int) -> NDArray[np.bool_]:
        count = min(items, max(1, round(self.options.share * items)))
        hidden = np.zeros(items, dtype=np.bool_)
        hidden[np.random.default_rng(self.options.seed).choice(items, count, replace=False)] = True
        return hidden


def _without(view: View, hidden: NDArray[np.bool_]) -> View:
    """A view whose rows hold no hidden item; rows with a hidden target are left out."""
    kept = np.ones(len(view.users), dtype=np.bool_) if view.targets is None else ~hidden[view.targets]
    shown = ~hidden[view.rows.values] & np.repeat(kept, view.rows.lengths)
    before = np.concatenate([[0], np.cumsum(shown)])
    offsets = np.append(before[view.rows.offsets[:-1]][kept], before[-1]).astype(np.int64)
    # Labels and times stand beside the interactions of training sequences, beside the rows otherwise.
    chosen = shown if view.targets is None else kept
    return replace(
        view,
        users=tuple(user for user, keep in zip(view.users, kept.tolist(), strict=True) if keep),
        rows=Sequences(view.rows.values[shown], offsets),
        targets=None if view.targets is None else view.targets[kept],
        times=None if view.times is None else view.times[chosen],
        domains=tuple(label for label, keep in zip(view.domains, chosen.tolist(), strict=False) if keep),
    )
