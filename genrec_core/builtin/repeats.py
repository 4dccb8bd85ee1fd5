"""`core/repeats`: how rare it is that people choose a thing twice; the prior of a search, or a part of more.

Models and counts put the items of a history near the top of their lists: they go with it best. Where nothing
is ever chosen twice those places are lost. This baseline knows one thing, learned from training rows: every
item is as likely as any other, but those of the history are less likely, all by one number:

    training: 2 of 1,000 choices were repeats; a history holds 5 of 100 items
    among equal items it would have 5 / 100; with −3.2 added to their logits it has 2 / 1,000

Where repeats are as common as among equal items, or more, the number is 0 and nothing changes. By itself it
ranks nothing. It is the prior of a search, or a part beside others, which needs no counts of pairs:

    recommend: {use: core/beam, prior: core/repeats}       # its weight is chosen on validation rows

`core/transitions` has it built in (`repeats: learned`), fitted to its own scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.baseline import Baseline, BaselineSession, Exceptions, Fitted
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training, View

SAMPLE = 4096
"""Training rows, evenly chosen, that the number is learned from."""
MOST = 30.0
"""The most that repeated items are lowered."""


class Repeats(Baseline):
    """Lowers the items of a history until they are as rare as repeated choices in training."""

    seeded = False

    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """`lowered` float32 [1], at most 0."""
        histories = training_requests(training.train, SAMPLE)
        held = np.asarray([len(set(one.history)) for one in histories], dtype=np.float64)
        number = lowering(held, len(items) - held, repeated_share(training.train))
        return {"lowered": np.asarray([number], dtype=np.float32)}

    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """A session; new items are as likely as all others."""
        return _RepeatsSession(len(items), float(state["lowered"][0]))


class _RepeatsSession(BaselineSession):
    def __init__(self, items: int, lowered: float) -> None:
        super().__init__(items)
        self._lowered = lowered

    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """0, and the number for items of the history."""
        scores = np.zeros((len(requests), self.items), dtype=np.float32)
        for row, request in enumerate(requests):
            scores[row, list(request.history)] = self._lowered
        return scores

    def exceptions(self, requests: Sequence[Request]) -> Exceptions:
        """The items of each history."""
        held = [set(request.history) for request in requests]
        rows = np.repeat(np.arange(len(held)), list(map(len, held)))
        items = np.fromiter(chain.from_iterable(held), np.int64, len(rows))
        return Exceptions(rows, items, np.full(len(rows), self._lowered, dtype=np.float64))


def repeated_share(train: View) -> float:
    """The share of choices, first ones left out, that had been made before; half a repeat is added."""
    values, lengths = train.rows.values, train.rows.lengths
    users = np.repeat(np.arange(len(lengths)), lengths)
    distinct = len(np.unique(users * (int(values.max(initial=0)) + 1) + values))
    targets = len(values) - int((lengths > 0).sum())
    return (len(values) - distinct + 0.5) / (targets + 1)


def training_requests(train: View, most: int) -> list[Request]:
    """What could have been asked before choices of the training rows: at most so many, evenly chosen."""
    values, offsets = train.rows.values, train.rows.offsets
    places = np.setdiff1d(np.arange(len(values)), offsets[:-1])
    count = min(most, len(places))
    chosen = places[np.linspace(0, max(0, len(places) - 1), count).astype(np.int64)]
    begins = offsets[np.searchsorted(offsets, chosen, side="right") - 1]
    begins = np.maximum(begins, chosen - train.max_history)
    return [Request("", tuple(values[a:b].tolist())) for a, b in zip(begins, chosen, strict=True)]


def lowering(again: NDArray[np.float64], other: NDArray[np.float64], wanted: float) -> float:
    """The largest b ≤ 0 at which the mean of again · exp(b) / (again · exp(b) + other) is at most `wanted`.

    Args:
        again: [R], what items of each history weigh together, exp of their logits.
        other: [R], what all others weigh.
        wanted: the share that repeated choices have.

    Only ever lower: where repeats are common, what is reached has a flat softmax, and one number for all
    items of a history lifts those that nobody refills (measured on Amazon Industrial, −.015 Recall@10).
    """
    both = (again > 0) & (other > 0)
    if not both.any():
        return 0.0
    odds = np.log(again[both]) - np.log(other[both])
    low, high = -MOST, 0.0
    for _ in range(60):
        middle = (low + high) / 2
        share = float(np.mean(1 / (1 + np.exp(-(odds + middle)))))
        low, high = (middle, high) if share < wanted else (low, middle)
    return high if high == 0.0 else low
