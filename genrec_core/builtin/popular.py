"""`core/popular`: the items that occur most often in training, the same for everyone.

The baseline that a recommender has to beat before it may be called one. Nothing is removed for users who
have seen an item: the viewed-item filter is the protocol's, applied to every system alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training
from genrec_core.evaluation.rankings import best, direct
from genrec_core.evaluation.slices import popularity_of


class Popular(Baseline):
    """Ranks by the number of training interactions, ties by item index."""

    seeded = False

    def rank(
        self, items: Items, training: Training, requests: Sequence[Request], k: int, context: Context
    ) -> Iterator[Ranked]:
        """The same k items for each request; the score of an item is its count."""
        counts = popularity_of(training.train, len(items))
        top = best(counts, k)
        ranked = direct(top, counts[top].astype(np.float32))
        for _ in requests:
            yield ranked
