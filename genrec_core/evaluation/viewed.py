"""The viewed-item filter: rankings without the items that each user had already seen.

Some published figures use it and some do not, and on data where people come back to an item the two differ
a lot; so it is part of the protocol, printed with every metric, and it works on every system alike.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Sequences
from genrec_core.evaluation.rankings import Rankings

BLOCK = 8192
"""Rows handled at a time, so that temporary arrays stay small."""

S = TypeVar("S", bound=np.generic)


def without_viewed(rankings: Rankings, rows: Sequences) -> Rankings:
    """The rankings without the items that each user had already seen.

    `rows` are the users' whole visible histories, not the ones cut to `max_history`. Items move up; the
    table keeps its width, so it must be wide enough for what is taken out (`depth_needed`). A beam
    keeps its place as long as one item it leads to is unseen.
    """
    parts = [
        _unseen(rankings, rows, start, min(start + BLOCK, len(rankings)))
        for start in range(0, len(rankings), BLOCK)
    ]
    return Rankings.joined(parts) if parts else rankings


def depth_needed(deepest: int, rows: Sequences, *, filter_viewed: bool) -> int:
    """How many items to ask a baseline for, so that `deepest` are left after viewed ones are removed."""
    return deepest + (int(rows.lengths.max(initial=0)) if filter_viewed else 0)


def _unseen(rankings: Rankings, rows: Sequences, start: int, stop: int) -> Rankings:
    part = Rankings(**{name: column[start:stop] for name, column in vars(rankings).items()})
    values = rows.values[rows.offsets[start] : rows.offsets[stop]].astype(np.int64)
    owner = np.repeat(np.arange(stop - start, dtype=np.int64), rows.lengths[start:stop])
    span = int(max(values.max(initial=0), part.items.max(initial=0), part.firsts.max(initial=0))) + 1
    seen = np.unique(owner * span + values)
    keep = (part.items >= 0) & ~_is_seen(part.items, seen, span)
    alive = _live_beams(part, keep) | ((part.firsts >= 0) & ~_is_seen(part.firsts, seen, span))
    return Rankings(
        items=_packed(part.items, keep, -1),
        scores=_packed(part.scores, keep, 0),
        how=_packed(part.how, keep, 0),
        beams=_packed(part.beams, keep, -1),
        firsts=_packed(part.firsts, alive, -1),
        reached=part.reached,
        candidates=part.candidates,
        invalid=part.invalid,
    )


def _is_seen(table: NDArray[np.int32], seen: NDArray[np.int64], span: int) -> NDArray[np.bool_]:
    if not len(seen):
        return np.zeros(table.shape, dtype=bool)
    keys = np.arange(len(table), dtype=np.int64)[:, None] * span + table
    places = np.minimum(np.searchsorted(seen, keys), len(seen) - 1)
    return np.asarray((seen[places] == keys) & (table >= 0))


def _live_beams(part: Rankings, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which places of `firsts` lead to at least one kept item of the table, bool [U, K]."""
    alive = np.zeros(part.firsts.shape, dtype=bool)
    users = np.arange(len(part))
    slots = np.zeros(part.items.shape, dtype=np.int64)
    for place in range(1, part.width):
        same = part.beams[:, :place] == part.beams[:, place : place + 1]
        known = slots[users, same.argmax(axis=1)]
        slots[:, place] = np.where(same.any(axis=1), known, slots[:, :place].max(axis=1) + 1)
    owners, places = np.nonzero(keep)
    alive[owners, slots[owners, places]] = True
    return alive


def _packed(table: NDArray[S], keep: NDArray[np.bool_], empty: int) -> NDArray[S]:
    """Each row's kept values moved to the left, the places that fall free filled with `empty`."""
    order = np.argsort(~keep, axis=1, kind="stable")
    packed = np.take_along_axis(table, order, axis=1)
    packed[np.arange(table.shape[1]) >= keep.sum(axis=1)[:, None]] = empty
    return packed
