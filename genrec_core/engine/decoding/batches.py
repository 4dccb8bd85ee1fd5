"""Batches of rows of different lengths: what is read together, and padded to the longest of it.

Rows go longest first. A batch ends where the next row would not fit, is of another kind (another catalogue to
write from, another end), or is so much shorter that padding it costs more than starting anew:

    lengths 300, 40, 40, … (31 times 40)  → [300, 40, 40, 40], [40, …]: 2,320 tokens instead of 9,600
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError

TokenIds = Sequence[int]

WINDOW = 2048
"""Requests looked at together when they are batched by length."""

PADDING = 1024
"""Tokens of padding that are always cheaper than another batch."""


def batches(
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
