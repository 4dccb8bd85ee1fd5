"""`core/oracle`: ranks by the true law of the next item, the best that anyone can do.

Only synthetic data has such a law. Its Recall@k is what a perfect model would reach on these very
examples, so a model's share of it says how much of what can be learnt was learnt. The oracle reads the
same history as everyone, cut to the protocol's `max_history`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training
from genrec_core.evaluation.rankings import best, direct


class Oracle(Baseline):
    """Ranks by the data's own next-item probabilities, ties by item index."""

    seeded = False

    def rank(
        self, items: Items, training: Training, requests: Sequence[Request], k: int, context: Context
    ) -> Iterator[Ranked]:
        """The k most probable items for each request; the score is the probability.

        Raises:
            GenrecError: the data's law is unknown.
        """
        if training.oracle is None:
            raise GenrecError(
                f"`{self.name}` needs data whose true law is known",
                hint="use it with `core/synthetic`; for real data leave it out of `evaluate.baselines`",
            )
        with context.progress("oracle", len(requests)) as advance:
            for request in requests:
                law = training.oracle.next_item(np.asarray(request.history, dtype=np.int32))
                top = best(law, k)
                yield direct(top, law[top])
                advance(1)
