"""Ragged prompts as one padded tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError

Tokens = Sequence[int]


def padded(rows: Sequence[Tokens], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
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
