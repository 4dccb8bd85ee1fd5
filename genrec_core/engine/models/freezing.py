"""Freezing: which weights a trainer may change, and what the optimiser owns of them.

`new-rows` trains only the rows of the identifiers' new tokens, in the embedding matrix and in the output
matrix (or in the one matrix they share). Masking gradients is not enough: weight decay moves a row whose
gradient is zero. So the optimiser never sees the matrix. It owns a small copy of the rows; before each
step it is given their gradients, after it they are written back. Every other weight keeps every bit, and the
optimiser's state is as small as the rows.

    with training_only(network, "new-rows", new_ids) as rows:
        optimizer = AdamW(rows.parameters, weight_decay=0.1)
        rows.attach(optimizer)

`adapters` trains a low-rank correction of every linear layer of the blocks (`adapters`), and the new rows.

Copies are float32 whatever the weights are. A bfloat16 weight of 1.0 has no neighbour nearer than 0.004, so
steps of 1e-4 made on it directly would all be lost; summed up in a float32 copy none is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import EllipsisType
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.adapters import AdapterSettings, adapted
from genrec_core.engine.models.vocabulary import matrices

Trainable = Literal["all", "new-rows", "adapters", "none"]


class MasterWeights:
    """Float32 copies of weights, or of some of their rows, for the optimiser to own.

    Args:
        parts: each weight, with the ids of its rows that are trained, None for all of it.

    Attributes:
        owners: the weights.
        parameters: float32, what the optimiser owns of each.
    """

    def __init__(self, parts: Sequence[tuple[nn.Parameter, Sequence[int] | None]]) -> None:
        self.owners = [weight for weight, _ in parts]
        self._rows: list[Tensor | EllipsisType] = [
            ... if ids is None else torch.tensor(list(ids), dtype=torch.long, device=weight.device)
            for weight, ids in parts
        ]
        self.parameters = [
            nn.Parameter(weight.detach()[rows].float().clone())
            for weight, rows in zip(self.owners, self._rows, strict=True)
        ]

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Carry gradients to the optimiser before each step, and the result back after it."""
        optimizer.register_step_pre_hook(lambda *_: self._gather())
        optimizer.register_step_post_hook(lambda *_: self._scatter())

    @torch.no_grad()
    def _gather(self) -> None:
        for own, weight, rows in zip(self.parameters, self.owners, self._rows, strict=True):
            now = weight[rows]
            # A weight that is not this copy, rounded, was set by somebody else: a checkpoint was loaded.
            own.copy_(torch.where(own.to(weight.dtype) == now, own, now.float()))
            own.grad = None if weight.grad is None else weight.grad[rows].float()
            if rows is ...:
                weight.grad = None

    @torch.no_grad()
    def _scatter(self) -> None:
        for own, weight, rows in zip(self.parameters, self.owners, self._rows, strict=True):
            weight[rows] = own.to(weight.dtype)
            own.grad = None

    def masks(self) -> list[Any]:
        """Hooks that zero the other rows' gradients, so that clipping sees only what is trained."""
        return [
            cast("Any", weight).register_hook(_only(rows))
            for weight, rows in zip(self.owners, self._rows, strict=True)
            if isinstance(rows, Tensor)
        ]


def _only(ids: Tensor) -> Any:
    def mask(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[ids] = gradient[ids]
        return kept

    return mask


@contextmanager
def training_only(
    network: Any,
    trainable: Trainable,
    new_ids: Sequence[int] = (),
    adapters: AdapterSettings | None = None,
    seed: int = 0,
) -> Iterator[MasterWeights | None]:
    """Freeze a network for the length of a block, then set it as it was.

    Args:
        network: a transformers model.
        trainable: `all` weights, the rows of the `new-rows`, `adapters` and these rows, or `none`.
        new_ids: token ids of the new rows.
        adapters: of `adapters`; they are merged into the weights when the block ends.
        seed: adapters start from it.

    Yields:
        The new rows where they are trained apart, None otherwise.

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
    inside = (
        adapted(network, adapters or AdapterSettings(), seed) if trainable == "adapters" else nullcontext()
    )
    try:
        with inside:
            if trainable in ("new-rows", "adapters") and new_ids:
                trained = matrices(network)
                for matrix in trained:
                    matrix.requires_grad_(True)
                rows = MasterWeights([(matrix, new_ids) for matrix in trained])
                hooks = rows.masks()
            yield rows
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, flag in before:
            parameter.requires_grad_(flag)
            parameter.grad = None
