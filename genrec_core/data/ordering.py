"""Ordering: events into sequences, with ties and duplicates named.

Two events of one user at the same second have no true order. They are ordered by the tie key where one is
given, else by their place in the file, and counted either way, because the last item of a user, the one a
leave-one-out test asks for, may hang on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.data.defects import Defects
from genrec_core.data.events import Events

DuplicatePolicy = Literal["refuse", "keep", "drop-exact"]
"""What becomes of rows with the same user, item and time as an earlier row."""
_SLANTED, _UNLIKELY = 0.05, 1e-3
"""An order is said to follow the ids when it is so far from one half, and that unlikely by chance."""
_NOTABLE = 0.01
"""From this share of tied interactions on it is said how they are ordered, whatever the test says."""
Codes = NDArray[np.int32] | NDArray[np.int64]


def in_time_order(events: Events) -> NDArray[np.int64]:
    """Row numbers by user, then time, then tie key, then place in the file; int64 [n]."""
    keys = (events.time, events.user) if events.tie is None else (events.tie, events.time, events.user)
    return np.lexsort(keys).astype(np.int64, copy=False)


def count_ties(user: Codes, time: NDArray[np.float64]) -> int:
    """How many events share user and time with another one; both arrays are [n]."""
    _, same = _neighbours(user, time)
    tied = np.zeros(len(user), dtype=bool)
    tied[1:] |= same
    tied[:-1] |= same
    return int(tied.sum())


def exact_duplicates(user: Codes, item: Codes, time: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which events repeat user, item and time of an earlier one, bool [n]; all arrays are [n]."""
    order, same = _neighbours(user, time, item)
    repeated = np.zeros(len(user), dtype=bool)
    repeated[order[1:]] = same
    return repeated


def _neighbours(*columns: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """A stable sorting order by the columns, and whether each row but the first equals the one before it."""
    order = np.lexsort(columns[::-1])
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in columns:
        ordered = column[order]
        same &= ordered[1:] == ordered[:-1]
    return order, same


def resolve_duplicates(
    events: Events, policy: DuplicatePolicy, path: Path, defects: Defects
) -> tuple[Events, list[str]]:
    """Events after the policy, and a note with the count when there was anything to decide."""
    repeated = exact_duplicates(events.user, events.item, events.time)
    count = int(repeated.sum())
    if not count:
        return events, []
    if policy == "refuse":
        hint = "choose `duplicates: drop-exact` (keeps the first), or `duplicates: keep` if all are meant"
        for row in np.flatnonzero(repeated):
            value = (
                f"{events.users[events.user[row]]} {events.items[events.item[row]]} {events.time[row]:.15g}"
            )
            defects.add(
                "row repeats an earlier one (user, item, time)", value, path, int(events.line[row]), hint
            )
        return events, []
    if policy == "keep":
        return events, [f"{count:,} interactions repeat an earlier one (user, item, time) and were kept"]
    note = f"{count:,} interactions repeated an earlier one (user, item, time) and were dropped"
    return events.kept(~repeated), [note]


def sequences_of(events: Events, user_count: int) -> tuple[Sequences, NDArray[np.float64], NDArray[np.int64]]:
    """Sequences by user code, the times beside their values, and the row order that made them."""
    order = in_time_order(events)
    offsets = np.zeros(user_count + 1, dtype=np.int64)
    np.cumsum(np.bincount(events.user, minlength=user_count), out=offsets[1:])
    return Sequences(events.item[order], offsets), events.time[order], order


@dataclass(frozen=True)
class TieOrder:
    """Whether the order of events of one user at one time follows the item ids.

    Attributes:
        tied: share of all interactions that share user and time with another one; None without times, when
            every adjacent pair may have been one of them.
        pairs: adjacent events of one user at one time, with different items.
        ascending: how many of these pairs ascend by item id; half of them if ids tell nothing.
    """

    tied: float | None
    pairs: int
    ascending: int

    @property
    def share(self) -> float:
        """Share of pairs that ascend; 0.5 when there are none."""
        return self.ascending / self.pairs if self.pairs else 0.5

    @property
    def p_value(self) -> float:
        """Two-sided binomial test of `ascending` against one half; normal beyond 1,000 pairs."""
        far = max(self.ascending, self.pairs - self.ascending)
        if self.pairs > 1_000:
            return math.erfc((far - 0.5 - self.pairs / 2) / math.sqrt(self.pairs / 2))
        tail = sum(math.comb(self.pairs, count) for count in range(far, self.pairs + 1))
        return min(1.0, float(2 * tail / 2**self.pairs))

    @property
    def warning(self) -> str:
        """What to say when the order follows the ids; empty when it does not."""
        if abs(self.share - 0.5) < _SLANTED or self.p_value > _UNLIKELY:
            return ""
        found = f"{self._tested}, so a model can learn the next item from the ids"
        if self.tied is None:
            return (
                f"there are no times, and the order of interactions follows the item ids: {found}; were "
                "items of one time listed by id, or ids given in order of appearance? Times would tell"
            )
        return (
            f"{self.tied:.1%} of interactions share user and time with another one, and their order follows "
            f"the item ids: {found}; use `split: {{use: core/random-ties, split: …}}`"
        )

    @property
    def note(self) -> str:
        """The warning; without one, what was found if a notable share of interactions is tied."""
        if self.warning or self.tied is None or self.tied < _NOTABLE:
            return self.warning
        found = f"{self.tied:.1%} of interactions share user and time with another one"
        if not self.pairs:
            return f"{found}, which is always of the same item"
        return f"{found}; held against the item ids, {self._tested}"

    @property
    def _tested(self) -> str:
        return (
            f"{self.share:.1%} of {self.pairs:,} adjacent pairs ascend where 50% are expected "
            f"(binomial test, p = {self.p_value:.2g})"
        )


def tie_order(dataset: Dataset) -> TieOrder:
    """How events of one user at one time are ordered; all adjacent ones when the data has no times.

    Ids that are all whole numbers are compared as numbers, others letter by letter.
    """
    ids, values = dataset.items.ids, dataset.sequences.values
    numeric = all(item.isascii() and item.isdigit() for item in ids)
    length = max((len(item) for item in ids), default=0) if numeric else 0
    order = sorted(range(len(ids)), key=lambda index: ids[index].rjust(length, "0"))
    rank = np.empty(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(ids))
    user = np.repeat(np.arange(len(dataset.users)), dataset.sequences.lengths)
    adjacent = (user[1:] == user[:-1]) & (values[1:] != values[:-1])
    tied = None
    if dataset.times is not None:
        adjacent &= dataset.times[1:] == dataset.times[:-1]
        tied = count_ties(user, dataset.times) / max(len(values), 1)
    ascending = adjacent & (rank[values[1:]] > rank[values[:-1]])
    return TieOrder(tied, int(adjacent.sum()), int(ascending.sum()))
