"""The dense head: a row for every item, scored by the state that begins to write its identifier.

A few shared codes name twelve thousand items, so items that share most of their codes are hard to tell
apart by codes alone. The dense head gives each item an output row of its own, plus one for each token of its
identifier, untied from everything else:

    row(item) = own[item] + codes[<a_3>] + codes[<b_9>] + codes[<c_1>]
    score(item | history) = (query · state) · row(item)

A softmax over all items makes probabilities of the scores. What a trie search found is ranked by both
(`core/beam`), or every item by the head alone (`core/dense`). An item that came after training has no row of
its own and is told by its tokens.

The head is a part of the network that its architecture knows nothing of: trained, checkpointed and kept with
it, in a file of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec_core.engine.models.layers import log_sum_exp_

DENSE_ATTRIBUTE = "genrec_dense"
"""What the head is called in its network."""

SPREAD = 0.02
"""Standard deviation of rows that start at random."""


class DenseHead(nn.Module):
    """Output rows of items.

    Args:
        tokens: int64 [U], ascending ids of the tokens that identifiers are written in.
        items: N, how many items have a row of their own.
        width: H, of the network's states.

    Attributes:
        own: float32 [N, H].
        codes: float32 [U + 1, H]; the last stands for no token and counts nothing.
        query: float32 [H, H], from the network's states to what is scored; it starts as the identity.
    """

    tokens: Tensor

    def __init__(self, tokens: Tensor, items: int, width: int) -> None:
        super().__init__()
        self.register_buffer("tokens", tokens)
        self.own = nn.Parameter(torch.zeros(items, width))
        self.codes = nn.Parameter(torch.zeros(len(tokens) + 1, width))
        self.query = nn.Parameter(torch.eye(width))

    @classmethod
    def started(
        cls,
        identifiers: Sequence[Sequence[int]],
        further: Sequence[int],
        width: int,
        seed: int,
        vectors: NDArray[np.float32] | None = None,
    ) -> DenseHead:
        """A head before training.

        Args:
            identifiers: token ids of every item's identifier.
            further: ids of tokens that no item carries yet.
            width: of the network's states.
            seed: of rows that start at random.
            vectors: float32 [N, at most `width`], what rows start from; an item whose vector is 0 starts at
                random, and so do all without vectors.
        """
        used = np.unique(np.fromiter((token for row in (*identifiers, further) for token in row), np.int64))
        head = cls(torch.from_numpy(used), len(identifiers), width)
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randn(len(identifiers), width, generator=generator) * SPREAD
        if vectors is not None:
            given = torch.from_numpy(vectors)
            known = (given != 0).any(dim=1)
            rows[known] = 0.0
            rows[known, : given.shape[1]] = given[known]
        codes, own = shared_parts(rows, head.written(identifiers), len(head.codes))
        with torch.no_grad():
            head.own.copy_(own)
            head.codes.copy_(codes)
        return head

    def written(self, identifiers: Sequence[Sequence[int]]) -> Tensor:
        """Identifiers as places in `codes`, int64 [items, longest]; tokens it does not know are left out."""
        longest = max((len(row) for row in identifiers), default=0)
        ids = np.full((len(identifiers), max(1, longest)), -1, dtype=np.int64)
        for place, row in enumerate(identifiers):
            ids[place, : len(row)] = row
        tokens = self.tokens.cpu().numpy()
        places = np.minimum(np.searchsorted(tokens, ids), max(0, len(tokens) - 1))
        known = tokens[places] == ids if len(tokens) else np.zeros(ids.shape, dtype=bool)
        return torch.from_numpy(np.where(known, places, len(tokens))).to(self.tokens.device)

    def rows(self, written: Tensor, items: Tensor | None = None) -> Tensor:
        """Rows of some items, or of all of a catalogue, float32 [items, H].

        Args:
            written: of the catalogue, see `written`; it may have more items than there are rows.
            items: int64, which; all by default.
        """
        chosen = written if items is None else written[items]
        shared = nn.functional.embedding_bag(
            chosen, self.codes, mode="sum", padding_idx=self.codes.shape[0] - 1
        )
        if items is None:
            own = nn.functional.pad(self.own, (0, 0, 0, len(written) - len(self.own)))
        else:
            known = items < len(self.own)
            own = self.own[torch.where(known, items, 0)] * known[:, None]
        return shared + own

    def queries(self, states: Tensor) -> Tensor:
        """What rows are multiplied with, float32 [R, H], for states [R, H]."""
        return states.float() @ self.query.T

    def log_softmax(self, states: Tensor, rows: Tensor) -> Tensor:
        """Log-probabilities float32 [R, N] of all items with these rows."""
        return (self.queries(states) @ rows.T).float().log_softmax(dim=1)

    def log_softmax_at(self, states: Tensor, rows: Tensor, which: Tensor, items: Tensor) -> Tensor:
        """Log-probabilities float32 [M] of some items, each behind the state [R, H] that `which` names.

        The same as `log_softmax` at those places, which writes a number for every item.
        """
        scores = (self.queries(states) @ rows.T).float()
        found = scores[which, items]
        return found - log_sum_exp_(scores)[which]


def shared_parts(rows: Tensor, written: Tensor, tokens: int) -> tuple[Tensor, Tensor]:
    """Rows [N, H] as what items share by their tokens, [tokens, H], and what is left to each, [N, H].

    A token gets the mean of what is left over by the tokens before it, first tokens first.
    """
    codes, left = torch.zeros(tokens, rows.shape[1]), rows.clone()
    for column in written.cpu().T:
        named = column < tokens - 1
        counts = torch.bincount(column[named], minlength=tokens).clamp(min=1)[:, None]
        means = torch.zeros_like(codes).index_add_(0, column[named], left[named]) / counts
        codes += means
        left[named] -= means[column[named]]
    return codes, left


def dense_head(network: Any) -> DenseHead | None:
    """The head of a network, None where it has none."""
    return cast("DenseHead | None", getattr(network, DENSE_ATTRIBUTE, None))


def attach(network: Any, head: DenseHead) -> None:
    """Make a head part of a network, on its device."""
    device = network.get_input_embeddings().weight.device
    setattr(network, DENSE_ATTRIBUTE, head.to(device))


def dense_head_of(weights: dict[str, Tensor]) -> DenseHead:
    """The head that a `state_dict()` was of."""
    head = DenseHead(weights["tokens"], *weights["own"].shape)
    head.load_state_dict(weights)
    return head
