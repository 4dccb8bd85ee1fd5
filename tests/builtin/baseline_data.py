"""A tiny catalogue and training view for the baselines' tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
