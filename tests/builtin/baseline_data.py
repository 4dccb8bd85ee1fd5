"""A tiny catalogue and training view for the baselines' tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training, View


def items(size: int) -> Items:
    return Items(tuple(f"i{index}" for index in range(size)), {})


def training(*rows: Sequence[int], oracle: object = None) -> Training:
    users = tuple(f"u{row}" for row in range(len(rows)))
    train = View("train", users, Sequences.of(rows), None, 20)
    valid = View("valid", (), Sequences.of([]), np.zeros(0, dtype=np.int32), 20)
    return Training(train, valid, oracle)


def requests(*histories: Sequence[int]) -> list[Request]:
    return [Request(f"r{row}", tuple(history)) for row, history in enumerate(histories)]


def ranked(baseline: Baseline, items: Items, training: Training, requests: Sequence[Request], k: int,
           context: Context | None = None) -> list[Ranked]:  # fmt: skip
    """Fitted, opened and asked."""
    context = context or Context()
    with baseline.open(baseline.fit(items, training, context), items, context) as session:
        return list(session.rank(requests, k))
