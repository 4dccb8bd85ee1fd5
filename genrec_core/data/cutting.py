"""Cutting: the two shapes of view that every split is made of, always as copies.

A training view holds the beginnings of sequences; a held-out view holds, for each chosen (row, position),
what came before that position and the item that stood there.

    positions 0 1 2 3 4       held_out(row 0, position 4): history 0..3, target 4
              a b c d e       training(length 3):          a b c
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.contracts.views import View


def training_view(
    dataset: Dataset,
    lengths: NDArray[np.int64],
    max_history: int,
    hidden: NDArray[np.bool_] | None = None,
) -> View:
    """The first `lengths[r]` items of each row r; rows of which nothing is left do not appear.

    Args:
        dataset: everything.
        lengths: int64 [rows], how much of each row may be seen.
        max_history: the protocol's cut, kept for later.
        hidden: bool beside `sequences.values`; marked interactions are left out.
    """
    left = lengths
    if hidden is not None:
        shown = np.concatenate([[0], np.cumsum(~hidden)])
        starts = dataset.sequences.offsets[:-1]
        left = shown[starts + lengths] - shown[starts]
    rows = np.flatnonzero(left > 0)
    places, offsets = _ranges(dataset.sequences.offsets[rows], lengths[rows])
    if hidden is not None:
        places = places[~hidden[places]]
        offsets = np.concatenate([[0], np.cumsum(left[rows])]).astype(np.int64)
    return View(
        name="train",
        users=tuple(dataset.users[row] for row in rows),
        rows=Sequences(dataset.sequences.values[places], offsets),
        targets=None,
        max_history=max_history,
        times=None if dataset.times is None else dataset.times[places],
        domains=tuple(dataset.domains[place] for place in places) if dataset.domains else (),
    )


def held_out_view(
    dataset: Dataset,
    name: str,
    held_out: tuple[NDArray[np.int64], NDArray[np.int64]],
    max_history: int,
    hidden: NDArray[np.bool_] | None = None,
) -> View:
    """One row for each held-out interaction: everything before it, uncut, and the item itself.

    Args:
        dataset: everything.
        name: `valid` or `test`.
        held_out: int64 [V] rows and int64 [V] positions in them.
        max_history: the protocol's cut, applied when examples are drawn.
        hidden: bool beside `sequences.values`; marked interactions are left out of histories.
    """
    rows, positions = held_out
    starts = dataset.sequences.offsets[rows]
    places, offsets = _ranges(starts, positions)
    targets = starts + positions
    if hidden is not None:
        shown = ~hidden[places]
        before = np.concatenate([[0], np.cumsum(shown)])
        places, offsets = places[shown], before[offsets].astype(np.int64)
    return View(
        name=name,
        users=tuple(dataset.users[row] for row in rows),
        rows=Sequences(dataset.sequences.values[places], offsets),
        targets=dataset.sequences.values[targets],
        max_history=max_history,
        times=None if dataset.times is None else dataset.times[targets],
        domains=tuple(dataset.domains[place] for place in targets) if dataset.domains else (),
    )


def _ranges(
    starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ranges `start … start + length` after one another, and the offsets that part them."""
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    places = np.arange(offsets[-1], dtype=np.int64) + np.repeat(starts - offsets[:-1], lengths)
    return places, offsets
