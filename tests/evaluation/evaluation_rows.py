"""Small rankings and views for the evaluation tests, and the naive metrics they are checked against."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from genrec_core.contracts.candidates import How, Ranked
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.views import View
from genrec_core.evaluation.rankings import Rankings


def ranked(items: Sequence[int], beams: Sequence[int] = (), **counts: object) -> Ranked:
    size = len(items)
    fields = {"candidates": size, "invalid": 0, **counts}
    return Ranked(
        items=np.asarray(items, dtype=np.int32),
        scores=-np.arange(size, dtype=np.float32),
        how=np.full(size, How.DIRECT, dtype=np.uint8),
        beams=np.asarray(beams, dtype=np.int32),
        **fields,
    )


def table(*rows: Sequence[int], k: int = 10) -> Rankings:
    return Rankings.of((ranked(row) for row in rows), k)


def int32(*values: int) -> np.ndarray:
    return np.asarray(values, dtype=np.int32)


def labelled_view(histories: Sequence[Sequence[int]], targets: Sequence[int], **extra: object) -> View:
    users = tuple(f"u{row}" for row in range(len(targets)))
    return View("test", users, Sequences.of(histories), int32(*targets), max_history=20, **extra)


def naive_rank(items: Sequence[int], target: int) -> int:
    for place, item in enumerate(items, start=1):
        if item == target:
            return place
    return 0


def naive_metrics(lists: Sequence[Sequence[int]], targets: Sequence[int], k: int) -> tuple[float, float]:
    recall = ndcg = 0.0
    for items, target in zip(lists, targets, strict=True):
        rank = naive_rank(items[:k], target)
        if rank:
            recall += 1
            ndcg += 1 / math.log2(rank + 1)
    return recall / len(targets), ndcg / len(targets)
