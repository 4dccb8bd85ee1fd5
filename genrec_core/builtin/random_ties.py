"""`core/random-ties`: events of one user at one time are put in random order before another split is made.

Such events have no true order. Files often list them by item id, and then "the next item" can be read off the
ids: a model that learns to count upwards is rewarded for nothing. `genrec data check` tests for it. A random
order takes that away; its seed is part of the protocol, so that all systems are evaluated on one order.

    times 5 5 7, items a b c   →   a b c  or  b a c, then the other split
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import Views
from genrec_core.data.ordering import count_ties


class RandomTies(Split):
    """Another split, after ties in time were put in random order."""

    version = "1"

    class Options(Split.Options):
        """Which split, and the seed of the order."""

        split: Split = Field(default={"use": "core/leave-one-out"}, validate_default=True)
        """The split that is made of the data with its new order."""
        seed: int = Field(0, ge=0)
        """Draws the order; not the pipeline's seed, so that several of those use the same rows."""

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views.

        Raises:
            DataError: there are no times, or the other split refuses the data.
        """
        if dataset.times is None:
            raise DataError(
                "ties cannot be put in random order: this data has no times",
                hint="add `timestamps`, or use the inner split alone if the order is known",
            )
        rows = np.repeat(np.arange(len(dataset.users)), dataset.sequences.lengths)
        drawn = np.random.default_rng(self.options.seed).random(len(rows))
        order = np.lexsort((drawn, dataset.times, rows))
        shuffled = replace(
            dataset,
            sequences=Sequences(dataset.sequences.values[order], dataset.sequences.offsets),
            domains=tuple(dataset.domains[place] for place in order) if dataset.domains else (),
        )
        views = self.options.split.split(shuffled, max_history)
        tied = count_ties(rows, dataset.times)
        how = f"were put in random order (seed {self.options.seed})"
        note = f"{tied:,} interactions that share user and time {how}"
        return replace(views, notes=(*views.notes, note))
