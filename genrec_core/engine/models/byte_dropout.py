"""Dropout that draws one random byte a value instead of one random float.

Drawing is what dropout costs on a CPU: in a small transformer, a fifth of a training step with torch's own
(13 ns a value on one core, against 3.5 ns here). Eight bytes come from one 64-bit draw, so the rate is
rounded to a multiple of 1/256; the kept values are scaled by the rounded rate, and the expectation is
exact.

    rate 0.3 → 77 of 256 byte values drop → 0.3008 dropped, the others times 256 / 179
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_VALUES = 256
_LEAST = -(2**63)


def dropped(states: Tensor, rate: float) -> Tensor:
    """States of any shape with a share of about `rate` set to 0, drawn from torch's global generator."""
    below = round(rate * _VALUES)
    if not below:
        return states
    count = states.numel()
    words = torch.empty((count + 7) // 8, dtype=torch.int64, device=states.device).random_(_LEAST, None)
    drawn = words.view(torch.uint8)[:count].view(states.shape)
    return states * ((drawn >= below).to(states.dtype) * (_VALUES / (_VALUES - below)))


class ByteDropout(nn.Module):
    """`dropped` while training, nothing otherwise.

    Args:
        rate: share to drop, below 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape to the same shape."""
        return dropped(states, self.rate) if self.training else states
