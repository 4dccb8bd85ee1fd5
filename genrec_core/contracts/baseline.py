"""Baseline: a recommender of another kind, which names items directly.

It stands in the same table as the model, and it can help one: what it gives every item is a prior for beam
search, a teacher in training, or one part of a fused recommender. Fitting and ranking are apart. `fit` gives
what was learnt as named arrays, which the store keeps; `open` makes a session of them that scores requests:

    class Latest(Baseline):
        def fit(self, items, training, context):
            return {"counts": np.bincount(training.train.rows.values, minlength=len(items))}

        def open(self, state, items, context):
            return LatestSession(state["counts"], len(items))

    class LatestSession(BaselineSession):
        def scores(self, requests):
            return np.tile(self.counts.astype(np.float32), (len(requests), 1))

A fitted baseline lives as long as its artefact. Items that were added to the catalogue later stand behind
those it was fitted on; `widened` gives them the lowest score of each row where nothing better is known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import Ranked, best
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.session import Session
from genrec_core.contracts.views import Request, Training

Fitted = Mapping[str, NDArray[Any]]
"""What a baseline has learnt: numeric arrays by name."""

CELLS = 1 << 24
"""Scores computed at a time by `BaselineSession.rank`: 64 MB of them."""


class Exceptions(NamedTuple):
    """Logits that are not 0, each of a request and an item once.

    Attributes:
        rows: int64 [E], numbers of requests.
        items: int64 [E], the items.
        logits: float64 [E], finite.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int64]
    logits: NDArray[np.float64]


class BaselineSession(Session, ABC):
    """A fitted baseline that is open for requests; one thread at a time.

    Args:
        items: N, the size of the catalogue it recommends from.
    """

    def __init__(self, items: int) -> None:
        self.items = items

    @abstractmethod
    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """How well each item follows each request, higher is better, float32 [requests, N], finite.

        Only the order within a row has a meaning, unless the baseline says more. A row depends on its request
        alone.
        """

    def logits(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Log-probabilities of each item up to a constant of the row, float32 [requests, N], finite.

        For priors and fusions, whose weights are chosen on validation; by default the scores.
        """
        return self.scores(requests)

    def exceptions(self, requests: Sequence[Request]) -> Exceptions | None:
        """The logits of those few items that differ from all others, whose logits are 0.

        None, the default, where more than a few do. A prior has then less to compute than with `logits`.
        """
        return None

    def rank(self, requests: Sequence[Request], k: int) -> Iterator[Ranked]:
        """The best k items for each request, in order, equal scores by item index.

        There are fewer only where fewer items are allowed (`Request.allows`).
        """
        chunk = max(1, CELLS // max(1, self.items))
        for start in range(0, len(requests), chunk):
            some = requests[start : start + chunk]
            for request, row in zip(some, self.scores(some), strict=True):
                left = self.items
                if request.ruled:
                    allowed = request.allows(np.arange(self.items))
                    row[~allowed] = -np.inf
                    left = int(allowed.sum())
                top = best(row, min(k, left))
                yield Ranked.direct(top, row[top])


class Baseline(Component):
    """Fits on the training view and scores items directly, without identifiers or a language model."""

    kind: ClassVar[str] = "baseline"
    selects: ClassVar[bool] = False
    """Whether fitting stops or chooses by validation rows, so that it is worse off without any."""

    @abstractmethod
    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """What is learnt from the training view (and chosen by the validation view), as numeric arrays.

        Args:
            items: the catalogue.
            training: no test row can be reached through it.
            context: seed, progress, log; `context.fitted` gives what another baseline has learnt.
        """

    @abstractmethod
    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """Get ready to score.

        Args:
            state: what `fit` gave, perhaps long ago. It is not changed.
            items: the catalogue that was fitted on, perhaps with more items behind.
            context: progress.
        """


def widened(scores: NDArray[np.float32], items: int) -> NDArray[np.float32]:
    """Scores [rows, n] as [rows, items]: items that were not fitted on get the lowest score of each row."""
    missing = items - scores.shape[1]
    if missing <= 0:
        return scores
    lowest = scores.min(axis=1, keepdims=True, initial=0.0 if not scores.shape[1] else np.inf)
    return np.concatenate([scores, np.repeat(lowest, missing, axis=1)], axis=1)
