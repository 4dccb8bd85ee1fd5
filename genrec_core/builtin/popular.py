"""`core/popular`: the items that occur most often in training, the same for everyone or by time.

The baseline that a recommender has to beat before it may be called one. With `half_life`, an interaction
counts half as much for every so many days that it lies before the request, and nothing when it lies behind
it: what was in fashion when the user chose. Nothing is removed for users who have seen an item: the
viewed-item filter is the protocol's, applied to every system alike.

    half_life: 10    events: item 3 on day 0, item 5 on day 10    at day 10: 0.5 for item 3, 1 for item 5
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.baseline import Baseline, BaselineSession, Fitted
from genrec_core.contracts.candidates import Ranked, best
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training
from genrec_core.evaluation.slices import popularity_of

DAY = 86_400.0
"""Seconds."""


class Popular(Baseline):
    """Ranks by the number of training interactions, ties by item index."""

    version = "2"
    seeded = False

    class Options(Baseline.Options):
        """Options of popularity."""

        half_life: float | None = Field(default=None, gt=0)
        """Days after which an interaction counts half; null counts all alike. Needs timestamps."""

    options: Options

    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """`counts` int64 [N]; with `half_life`, the interactions by time: `item` int32 and `time` float64.

        Raises:
            DataError: there is a `half_life` and no timestamps.
        """
        if self.options.half_life is None:
            return {"counts": popularity_of(training.train, len(items))}
        times = training.train.times
        if times is None:
            raise DataError(
                f"`{self.name}` with `half_life: {self.options.half_life:g}` needs timestamps, "
                "and the data has none",
                hint="leave `half_life` out, or bring `interactions` with a `timestamp`",
            )
        order = np.argsort(times, kind="stable")
        return {"item": training.train.rows.values[order], "time": times[order]}

    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """A session; items that were added later have the count 0."""
        if "counts" in state:
            counts = np.zeros(len(items), dtype=np.int64)
            counts[: len(state["counts"])] = state["counts"]
            return _Counts(counts)
        assert self.options.half_life is not None
        return _Decayed(len(items), state["item"], state["time"], self.options.half_life * DAY)


class _Counts(BaselineSession):
    def __init__(self, counts: NDArray[np.int64]) -> None:
        super().__init__(len(counts))
        self._counts = counts

    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """The counts, the same for each request."""
        return np.tile(self._counts.astype(np.float32), (len(requests), 1))

    def rank(self, requests: Sequence[Request], k: int) -> Iterator[Ranked]:
        """The same k items for each request that excludes none."""
        top = best(self._counts, k)
        ranked = Ranked.direct(top, self._counts[top])
        for request in requests:
            yield next(super().rank([request], k)) if request.ruled else ranked

    def logits(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Logarithms of the counts, each with one more."""
        return np.log1p(self.scores(requests))


class _Decayed(BaselineSession):
    def __init__(
        self, items: int, item: NDArray[np.int32], time: NDArray[np.float64], half_life: float
    ) -> None:
        super().__init__(items)
        self._item, self._time, self._half_life = item, time, half_life

    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Counts as they had faded when each request was made; a request without a time is made last."""
        newest = self._time[-1] if len(self._time) else 0.0
        asked = np.array([newest if np.isnan(one.time) else one.time for one in requests], dtype=np.float64)
        # Strictly before a request that has its time: the chosen item itself may stand in another's row.
        behind = np.searchsorted(self._time, asked, side="left")
        behind[[bool(np.isnan(one.time)) for one in requests]] = len(self._time)
        scores = np.empty((len(requests), self.items), dtype=np.float32)
        faded, until, at = np.zeros(self.items), 0, float(asked.min(initial=0.0))
        for row in np.lexsort((behind, asked)):
            faded *= 2.0 ** ((at - asked[row]) / self._half_life)
            new = slice(until, max(until, behind[row]))
            weights = 2.0 ** ((self._time[new] - asked[row]) / self._half_life)
            faded += np.bincount(self._item[new], weights, minlength=self.items)
            scores[row], until, at = faded, new.stop, asked[row]
        return scores

    def logits(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """Logarithms of the faded counts, each with one more."""
        return np.log1p(self.scores(requests))
