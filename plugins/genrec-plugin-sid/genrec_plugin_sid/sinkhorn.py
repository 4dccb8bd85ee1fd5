"""Sinkhorn's iterations: a soft assignment in which all codes are used equally much.

Rows (points) hand out a mass of one each, columns (codes) receive N/K each, and mass prefers short distances
(Cuturi 2013). LC-Rec and the code around it use the plan in place of "nearest code", while an RQ-VAE is
trained and to take colliding items apart.

Their code raises e to −distance/ε once and rescales; with small ε that underflows. Here the logarithms of
the scales are moved into the exponent every few steps. A step changes them by log N at most (scaling never
takes larger steps later than at first), so between two moves nothing leaves the range of float64.

    distances (0, 1) and (0, 2), two codes for two points → the first gives way: plan ≈ (0, 1) and (1, 0)
"""

from __future__ import annotations

import torch
from torch import Tensor

ABSORB = 8
"""Steps between two moves of the scales into the exponent."""


def sinkhorn(distances: Tensor, epsilon: float, iterations: int) -> Tensor:
    """The plan for `distances` (floating [N, K]): float32 [N, K], rows sum to 1, columns nearly to N/K.

    Args:
        distances: what a point pays at each code.
        epsilon: softness, as a share of half the range of distances, so that their unit does not matter;
            LC-Rec uses 0.003 for codes at their last level.
        iterations: rescalings of columns and rows; more make the columns more equal.
    """
    points, codes = distances.shape
    costs = distances.detach().double()
    half = (costs.max() - costs.min()) / 2
    costs = costs / (epsilon * torch.where(half > 0, half, 1.0))
    rows = costs.min(dim=1).values
    columns = (costs - rows[:, None]).min(dim=0).values
    for done in range(iterations):
        if done % ABSORB == 0:
            kernel = (rows[:, None] + columns - costs).exp()
            row_scales = torch.ones_like(rows)
        column_scales = points / codes / (row_scales @ kernel)
        row_scales = 1 / (kernel @ column_scales)
        if done % ABSORB == ABSORB - 1 or done == iterations - 1:
            rows, columns = rows + row_scales.log(), columns + column_scales.log()
    return (rows[:, None] + columns - costs).softmax(dim=1).float()
