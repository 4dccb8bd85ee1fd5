"""Batches of rows of different lengths: what is read together, and padded to the longest of it.

Four cuts, one for each purpose. Where all rows are read once and order does not matter, `by_tokens` goes
longest first and ends a batch where the next row would not fit, is of another kind (another catalogue to
write from, another end), or is so much shorter that padding it costs more than starting anew:

    lengths 300, 40, 40, … (31 times 40)  → [300, 40, 40, 40], [40, …]: 2,320 tokens instead of 9,600

`by_rows` has a largest number of rows, `by_targets` about the same number of targets a batch. Training wants
a random order too: `pooled` cuts pools of some hundred shuffled batches, each sorted by length, and shuffles
the batches again. Little is spent on padding, and the order stays close to random.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.errors import GenrecError

RowNumbers = NDArray[np.int64]

TokenIds = Sequence[int]

WINDOW = 2048
"""Requests looked at together when they are batched by length."""

PADDING = 1024
"""Tokens of padding that are always cheaper than another batch."""


def by_tokens(
    lengths: Sequence[int], most: int, *, room: int = 0, kinds: Sequence[Hashable] = ()
) -> list[list[int]]:
    """Places of rows that are read together.

    Args:
        lengths: tokens of each row.
        most: tokens of a batch, padding included; a longer row is a batch of its own.
        room: tokens that will be written behind each row.
        kinds: of each row; a batch is of one kind. Nothing for one kind.

    Returns:
        Each place once; kinds by their first row, rows of a kind longest first, equal ones in order.
    """
    groups: dict[Hashable, list[int]] = {}
    for place in range(len(lengths)):
        groups.setdefault(kinds[place] if kinds else None, []).append(place)
    found: list[list[int]] = []
    for group in groups.values():
        found += _cut(sorted(group, key=lambda place: -lengths[place]), lengths, most, room)
    return found


def _cut(order: Sequence[int], lengths: Sequence[int], most: int, room: int) -> list[list[int]]:
    found: list[list[int]] = []
    longest = filled = 0
    for place in order:
        rows = len(found[-1]) + 1 if found else 1
        padding = rows * longest - filled - lengths[place]
        wasteful = padding > max(PADDING, filled // 4)
        if not found or wasteful or rows * (longest + room) > most:
            found.append([])
            longest, filled = lengths[place], 0
        found[-1].append(place)
        filled += lengths[place]
    return found


def by_rows(
    rows: RowNumbers, lengths: NDArray[np.int64], size: int, tokens: int | None = None
) -> list[RowNumbers]:
    """Batches of rows of similar length, shortest first.

    Args:
        rows: numbers of the rows to cut.
        lengths: int64, tokens of every row there is.
        size: most rows of a batch.
        tokens: most tokens of a batch, padding included; a longer row is alone. None for no such bound.
    """
    ordered = rows[np.argsort(lengths[rows], kind="stable")]
    if tokens is None:
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]
    batches, start = [], 0
    for place in range(1, len(ordered) + 1):
        full = place == len(ordered) or place - start == size
        if full or (place - start + 1) * int(lengths[ordered[place]]) > tokens:
            batches.append(ordered[start:place])
            start = place
    return batches


def by_targets(rows: RowNumbers, targets: NDArray[np.int64], size: int) -> list[RowNumbers]:
    """Batches of rows of similar length, shortest first, each with about `size` targets.

    With the same number of rows instead, a target in a batch of short rows would count more than one in a
    batch of long rows.

    Args:
        rows: numbers of the rows to cut.
        targets: int64, targets of every row there is, at least one.
        size: targets a batch, about.
    """
    ordered = rows[np.argsort(targets[rows], kind="stable")]
    total = int(targets[ordered].sum())
    before = np.cumsum(targets[ordered]) - targets[ordered]
    batch = before * max(1, round(total / size)) // max(1, total)
    return np.split(ordered, np.flatnonzero(np.diff(batch)) + 1)


def pooled(
    pools: Iterable[RowNumbers],
    cut: Callable[[RowNumbers], list[RowNumbers]],
    generator: np.random.Generator,
) -> list[RowNumbers]:
    """The batches that `cut` makes of each pool of shuffled rows, all in random order."""
    made = [batch for pool in pools for batch in cut(pool)]
    return [made[place] for place in generator.permutation(len(made))]


def padded(rows: Sequence[TokenIds], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(ids int64 [B, P] padded at the right, lengths int64 [B]).

    Raises:
        GenrecError: a row is empty.
    """
    lengths = torch.tensor([len(row) for row in rows])
    if not len(rows) or int(lengths.min()) == 0:
        raise GenrecError(
            "a prompt is empty", hint="give the task an instruction, or the model a begin-of-text token"
        )
    ids = torch.full((len(rows), int(lengths.max())), pad, dtype=torch.long)
    inside = torch.arange(ids.shape[1]) < lengths[:, None]
    ids[inside] = torch.tensor([token for row in rows for token in row])
    return ids.to(device), lengths.to(device)
