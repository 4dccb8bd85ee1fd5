"""`core/oracle`: ranks by the true distribution of the next item, the best that anyone can do.

Only synthetic data has one. Its Recall@k is what a perfect model would reach on these very examples, so a
model's share of it says how much of what can be learnt was learnt. The oracle reads the same history as
everyone, cut to the protocol's `max_history`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.baseline import Baseline, BaselineSession, Fitted, widened
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import OracleDistribution
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training
from genrec_core.data.markov import oracle_arrays, oracle_of


class Oracle(Baseline):
    """Ranks by the data's own next-item probabilities, ties by item index."""

    seeded = False

    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """The arrays of the true distribution.

        Raises:
            GenrecError: the data's distribution is unknown.
        """
        if training.oracle is None:
            raise GenrecError(
                f"`{self.name}` needs data whose true distribution is known",
                hint="use it with `core/synthetic`; for real data leave it out of `evaluate.baselines`",
            )
        return oracle_arrays(training.oracle)

    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """A session whose scores are probabilities; an item that was added later has none."""
        return _OracleSession(oracle_of(state), len(items))


class _OracleSession(BaselineSession):
    def __init__(self, oracle: OracleDistribution, items: int) -> None:
        super().__init__(items)
        self._oracle = oracle

    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The probability of each item."""
        rows = [self._oracle.next_item(np.asarray(one.history, dtype=np.int32)) for one in requests]
        if not rows:
            return np.zeros((0, self.items), dtype=np.float32)
        return widened(np.asarray(rows, dtype=np.float32), self.items)

    def logits(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Logarithms of the probabilities, where none is below 1e-12."""
        return np.log(np.maximum(self.scores(requests), np.float32(1e-12)))
