"""Freezing: which weights a trainer may change.

`new-rows` trains only the rows of the identifiers' new tokens, in the embedding matrix and in the output
matrix (or in the one matrix they share). Masking gradients is not enough: weight decay moves a row whose
gradient is zero. So the optimiser never sees the matrix. It owns a small copy of the rows; before each
step it is given their values and gradients, after it they are written back. Every other weight keeps every
bit, and the optimiser's state is as small as the rows.

    with training_only(network, "new-rows", new_ids) as rows:
        optimizer = AdamW(rows.parameters, weight_decay=0.1)
        rows.attach(optimizer)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.vocabulary import matrices

Trainable = Literal["all", "new-rows", "none"]


class TrainedRows:
    """The rows of some matrices as small parameters of their own.

    Attributes:
        parameters: float [len(ids), d] for each matrix, what the optimiser owns.
    """

    def __init__(self, owners: list[nn.Parameter], ids: Sequence[int]) -> None:
        self._matrices = owners
        self._ids = [torch.tensor(list(ids), dtype=torch.long, device=matrix.device) for matrix in owners]
        self.parameters = [
            nn.Parameter(matrix.detach()[rows].clone())
            for matrix, rows in zip(owners, self._ids, strict=True)
        ]

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Carry values and gradients to the optimiser before each step, and the result back after it."""
        optimizer.register_step_pre_hook(lambda *_: self._gather())
        optimizer.register_step_post_hook(lambda *_: self._scatter())

    @torch.no_grad()
    def _gather(self) -> None:
        for own, matrix, ids in zip(self.parameters, self._matrices, self._ids, strict=True):
            own.copy_(matrix[ids])
            own.grad = None if matrix.grad is None else matrix.grad[ids]

    @torch.no_grad()
    def _scatter(self) -> None:
        for own, matrix, ids in zip(self.parameters, self._matrices, self._ids, strict=True):
            matrix[ids] = own
            own.grad = None

    def masks(self) -> list[Any]:
        """Hooks that zero the other rows' gradients, so that clipping sees only what is trained."""
        return [
            cast("Any", matrix).register_hook(_only(ids))
            for matrix, ids in zip(self._matrices, self._ids, strict=True)
        ]


def _only(ids: Tensor) -> Any:
    def mask(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[ids] = gradient[ids]
        return kept

    return mask


@contextmanager
def training_only(
    network: Any, trainable: Trainable, new_ids: Sequence[int] = ()
) -> Iterator[TrainedRows | None]:
    """Freeze a network for the length of a block, then set it as it was.

    Args:
        network: a transformers model.
        trainable: `all` weights, the rows of the `new-rows`, or `none`.
        new_ids: token ids of the new rows.

    Yields:
        The rows for `new-rows`, None otherwise.

    Raises:
        GenrecError: `new-rows` without any new token.
    """
    if trainable == "new-rows" and not new_ids:
        raise GenrecError(
            "`trainable: new-rows` has nothing to train: the identifiers brought no new tokens",
            hint="use `trainable: all`, or a tokenizer whose identifiers are new tokens",
        )
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    rows, hooks = None, []
    if trainable != "all":
        network.requires_grad_(False)
    if trainable == "new-rows":
        trained = matrices(network)
        for matrix in trained:
            matrix.requires_grad_(True)
        rows = TrainedRows(trained, new_ids)
        hooks = rows.masks()
    try:
        yield rows
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, flag in before:
            parameter.requires_grad_(flag)
            parameter.grad = None
