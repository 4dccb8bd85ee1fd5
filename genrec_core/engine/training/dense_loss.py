"""The loss of the dense head: a softmax over items at every state that begins to write one.

    history a b, target c:   −log softmax over the items of (query · state) · row, at c

Over the whole catalogue (`negatives: null`), or over the target and some items that are drawn evenly for each
batch. Where training has a teacher and the softmax is over all items, the teacher's best items are soft
targets here too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genrec_core.engine.baselines.sasrec_losses import sampled_softmax_losses
from genrec_core.engine.models.dense_head import DenseHead
from genrec_core.engine.training.teaching import TrieTeacher


class DenseLoss:
    """Cross-entropy of items under a dense head.

    Args:
        head: is trained.
        written: the catalogue's identifiers, see `DenseHead.written`.
        negatives: items drawn for a batch; None takes all.
        weight: what the loss counts beside that of tokens.
        teacher: soft targets beside what was chosen; None for none.
    """

    def __init__(
        self,
        head: DenseHead,
        written: Tensor,
        negatives: int | None,
        weight: float,
        teacher: TrieTeacher | None = None,
    ) -> None:
        self.weight = weight
        self._head, self._written, self._teacher = head, written, teacher
        self._negatives = negatives if negatives is not None and negatives < len(written) else None

    def __call__(self, states: Tensor, items: Tensor, asked: Tensor) -> Tensor:
        """Losses float32 [M], weighted.

        Args:
            states: [M, H], the states that identifiers begin from.
            items: int64 [M], those that were chosen.
            asked: int64 [M], places in the teacher's table, -1 for none.
        """
        queries = self._head.queries(states)
        if self._negatives is None:
            return self.weight * self._full(queries, items, asked)
        drawn = torch.randperm(len(self._written), device=items.device)[: self._negatives]
        rows = self._head.rows(self._written, torch.cat([items, drawn]))
        losses = sampled_softmax_losses(queries, items, rows[: len(items)], drawn, rows[len(items) :])
        return self.weight * losses.float()

    def _full(self, queries: Tensor, items: Tensor, asked: Tensor) -> Tensor:
        logs = (queries @ self._head.rows(self._written).T).float().log_softmax(dim=1)
        hard = -logs.gather(1, items[:, None])[:, 0]
        if self._teacher is None:
            return hard
        expected, shares = self._teacher.expected(asked)
        soft = -(shares * logs.gather(1, expected)).sum(dim=1)
        weight = self._teacher.weight
        return torch.where(asked >= 0, (1 - weight) * hard + weight * soft, hard)
