"""Three losses for next-item scores; each takes the states that predict and the items that followed.

- `softmax`: cross-entropy over the whole catalogue. The most exact, and its cost grows with the catalogue.
- `sampled-softmax`: the same over the target and a few hundred items drawn evenly, one draw shared by
  the whole batch, so that all scores are one matrix product. An item drawn by accident that is a row's
  own target is left out for that row. With every item drawn it is the full softmax.
- `bce`: the paper's. For each target one item that the user never had, and a binary decision for both;
  known to make scores too sure of themselves and rankings worse (Petrov and Macdonald 2023), kept as a
  switch to reproduce older figures. Drawn items that the row does have are left out instead of drawn
  again.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def softmax_loss(states: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    """Mean cross-entropy over all items.

    Args:
        states: float32 [P, d].
        targets: int64 [P].
        table: float32 [N, d], the items' output embeddings.
    """
    return functional.cross_entropy(states @ table.T, targets)


def sampled_softmax_losses(
    states: Tensor,
    targets: Tensor,
    positives: Tensor,
    drawn: Tensor,
    negatives: Tensor,
    history: Tensor | None = None,
) -> Tensor:
    """Cross-entropy over each target and the items drawn for the batch, float32 [P].

    Args:
        states: float32 [P, d].
        targets: int64 [P].
        positives: float32 [P, d], the targets' embeddings.
        drawn: int64 [n], distinct items.
        negatives: float32 [n, d], their embeddings.
        history: float32 [P, T], scores of each user's earlier items, -inf where there is none; None leaves
            them out.
    """
    own = (states * positives).sum(dim=1, keepdim=True)
    others = (states @ negatives.T).masked_fill(drawn == targets[:, None], -torch.inf)
    every = [own, others] if history is None else [own, others, history]
    return torch.cat(every, dim=1).logsumexp(dim=1) - own[:, 0]


def bce_loss(states: Tensor, positives: Tensor, negatives: Tensor, allowed: Tensor) -> Tensor:
    """Mean binary cross-entropy of each target and of the items drawn for it.

    Args:
        states: float32 [P, d].
        positives: float32 [P, d], the targets' embeddings.
        negatives: float32 [P, n, d], the drawn items' embeddings.
        allowed: bool [P, n], false where the user had the drawn item.
    """
    own = functional.softplus(-(states * positives).sum(dim=1))
    others = functional.softplus((negatives @ states[:, :, None])[:, :, 0])
    return (own.sum() + (others * allowed).sum()) / (len(states) + allowed.sum())
