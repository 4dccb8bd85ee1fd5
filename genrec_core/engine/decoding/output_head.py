"""The output matrix, asked only for what is needed.

A vocabulary has 150,000 columns and a constraint leaves a few hundred of them legal. So scores of legal
tokens come from those columns alone, and when log-probabilities under the whole vocabulary are wanted,
the one number they need, the normaliser, is summed block by block without keeping any logits.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import Any

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.support import own_logits, support_of
from genrec_core.engine.models.layers import log_sum_exp_

_BLOCK = 4096
"""Columns of one block: with a few hundred beams its logits stay in the cache."""


_ANNOUNCING, _announced = threading.Lock(), False
PAIR_COST = 3
"""What the product of a pair of rows costs in `pair_products`, in those of one large matrix product."""


class OutputHead:
    """From the last hidden states to logits.

    Args:
        network: a transformers causal or encoder-decoder language model. Where its logits are more than one
            matrix product (soft caps, a transform of its own), its own code computes all of them.

    Raises:
        GenrecError: see `support_of`.
    """

    def __init__(self, network: Any) -> None:
        layer, support = network.get_output_embeddings(), support_of(network)
        self.weight: Tensor = layer.weight
        self.bias: Tensor | None = getattr(layer, "bias", None)
        self.linear, self.scale, self._network = support.linear, support.scale, network

    @property
    def size(self) -> int:
        """Number of columns: the vocabulary, padding rows included."""
        return self.weight.shape[0]

    def logits(self, hidden: Tensor, tokens: Tensor | slice = slice(None)) -> Tensor:
        """Logits float32 [R, U] of `tokens` (all columns by default) for hidden states [R, H]."""
        if not self.linear:
            return own_logits(self._network, hidden)[:, tokens].float()
        logits = (hidden * self.scale if self.scale != 1.0 else hidden) @ self.weight[tokens].T
        return (logits if self.bias is None else logits + self.bias[tokens]).float()

    def logits_at(self, hidden: Tensor, beams: Tensor, counts: Tensor, tokens: Tensor) -> Tensor:
        """Logits float32 [C] of some pairs of a hidden state and a token.

        Args:
            hidden: [R, H].
            beams: int64 [C], ascending: the hidden state of each pair.
            counts: int64 [R], how many pairs each hidden state has.
            tokens: int64 [C], the token of each pair.
        """
        used = torch.zeros(self.size, dtype=torch.bool, device=hidden.device)
        used[tokens] = True
        columns = used.nonzero().squeeze(1)
        if self._multiplies_pairs(hidden) and PAIR_COST * len(tokens) < len(hidden) * len(columns):
            scaled = hidden * self.scale if self.scale != 1.0 else hidden
            logits = pair_products(scaled, self.weight, counts, tokens)
            return logits if self.bias is None else logits + self.bias[tokens]
        place = torch.cumsum(used, 0)[tokens] - 1
        return self.logits(hidden, columns)[beams, place]

    def _multiplies_pairs(self, hidden: Tensor) -> bool:
        """Whether logits are products that `pair_products` can compute."""
        return (
            self.linear
            and hidden.device.type == "cpu"
            and hidden.dtype == self.weight.dtype == torch.float32
            and not torch.is_grad_enabled()
        )

    def rows(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights [U, H] and biases [U] of some columns: hidden @ weights.T + biases are their logits.

        Raises:
            GenrecError: logits are more than that.
        """
        if not self.linear:
            raise GenrecError(
                f"`{type(self._network).__name__}` changes its logits after the output matrix, so those of "
                "legal tokens cannot be computed alone",
                hint="train it with `scoring: full`",
            )
        weight = self.weight[tokens] * self.scale if self.scale != 1.0 else self.weight[tokens]
        return weight, None if self.bias is None else self.bias[tokens]

    def normaliser(self, hidden: Tensor, temperature: float = 1.0) -> Tensor:
        """Log of the sum of exp(logit / temperature) over the whole vocabulary, float32 [R]."""
        width = _BLOCK if self.linear else self.size  # the network's own code gives all logits at once
        sums = []
        for start in range(0, self.size, width):
            logits = self.logits(hidden, slice(start, start + width))
            sums.append(log_sum_exp_(logits if temperature == 1.0 else logits.div_(temperature)))
        return sums[0] if len(sums) == 1 else torch.stack(sums).logsumexp(dim=0)


def pair_products(left: Tensor, right: Tensor, counts: Tensor, columns: Tensor) -> Tensor:
    """Products of some pairs of rows, [C]; nothing is computed for the others, and nothing is copied.

    Gathering both rows of every pair, to multiply them then, takes longer than all products of a full matrix:
    it writes them to memory.

    Args:
        left: float32 [R, H], on a CPU.
        right: float32 [V, H].
        counts: int64 [R], how many pairs each row of `left` has.
        columns: int64 [C], the row of `right` in each pair, those of one row of `left` after another.
    """
    edges = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    pattern = _sparse(edges, columns, (len(left), len(right)))
    found: Tensor = torch.sparse.sampled_addmm(pattern, left, right.T, beta=0.0)
    return found.values()


def _sparse(edges: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """A sparse matrix [R, V] in rows, zero where something is asked."""
    global _announced
    with contextlib.ExitStack() as stack:
        if not _announced:  # torch says once in each process that such matrices are new
            stack.enter_context(_ANNOUNCING)
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", UserWarning)
        zeros = torch.zeros(len(columns))
        pattern = torch.sparse_csr_tensor(edges, columns, zeros, size, check_invariants=False)
        _announced = True
    return pattern
