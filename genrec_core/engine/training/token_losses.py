"""Losses of single tokens from log-probabilities: what `core/focal` and its like compute.

    logs [M, C] = log-probabilities of what may stand at M places, -inf where there are fewer than C choices
    chosen [M]  = which of them is learnt

Choices that do not exist carry -inf, which must meet no sum: 0 · -inf is no number, nor is its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(logs: Tensor, chosen: Tensor) -> Tensor:
    """-log p of what is learnt, float32 [M]."""
    return -logs.gather(1, chosen[:, None]).squeeze(1)


def smoothed(logs: Tensor, chosen: Tensor, share: float) -> Tensor:
    """Cross-entropy against a target of which a share is spread over all choices (Szegedy et al. 2016)."""
    there = logs > -torch.inf
    spread = -logs.masked_fill(~there, 0.0).sum(1) / there.sum(1)
    return (1 - share) * cross_entropy(logs, chosen) + share * spread


def focal(logs: Tensor, chosen: Tensor, power: float) -> Tensor:
    """(1 - p)^power times cross-entropy (Lin et al. 2017): what is known already counts less."""
    losses = cross_entropy(logs, chosen)
    missing = -torch.expm1(-losses)
    # At p = 1 the power's gradient is none for exponents below 1.
    return missing.clamp(min=1e-7) ** power * losses


def beam_aware(logs: Tensor, chosen: Tensor, beams: int, weight: float, temperature: float) -> Tensor:
    """Cross-entropy, and a penalty where the token would fall out of the beams.

    The penalty is sigmoid((log p_B - log p) / temperature), p_B the B-th best choice: near 0 for a token that
    is well among the best B, near 1 for one that beam search would prune here. With at most B choices nothing
    is pruned, and nothing is added.
    """
    losses = cross_entropy(logs, chosen)
    if logs.shape[1] <= beams:
        return losses
    edge = logs.topk(beams, dim=1).values[:, -1]
    pruned = edge > -torch.inf
    margin = torch.where(pruned, edge, 0.0) + torch.where(pruned, losses, 0.0)
    return losses + weight * torch.where(pruned, torch.sigmoid(margin / temperature), 0.0)
