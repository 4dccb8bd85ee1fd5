"""Legal training: the loss of a token counts only the tokens that could stand in its place.

Constrained decoding never writes a token that no identifier allows, so what a model thinks of such tokens is
of no use to it. Normalised over the whole vocabulary the loss teaches it all the same; normalised over the
legal ones, the children of the node that the identifier has come to, every bit is spent on telling items
apart. For that each learnt token of an identifier carries the trie node that it leads to.

Nothing else is computed either: positions are grouped by node, and nodes by how many positions and children
they have, so that a group is one batched matrix product over children alone. Neither a codebook of thousands
nor a vocabulary of a hundred thousand costs anything here.

What a trie does not restrict (texts, the end of a text where it is certain) keeps the whole vocabulary.

    identifiers (5, 7) (5, 8) (6, 7):  writing 5 7 leads to nodes 1, 3 → 5 against {5, 6}, 7 against {7, 8}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.identifiers.trie import Trie


def target_nodes(
    trie: Trie, ids: NDArray[np.int32], learn: NDArray[np.bool_], starts: Sequence[int]
) -> NDArray[np.int32]:
    """The node that each learnt identifier token leads to, int32 beside `ids`; -1 elsewhere.

    Args:
        trie: of the identifiers' token ids.
        ids: token ids of many samples after one another.
        learn: beside `ids`.
        starts: places in `ids` where learnt identifiers begin.
    """
    nodes = np.full(len(ids), -1, dtype=np.int32)
    places = np.asarray(starts, dtype=np.int64)
    here = np.full(len(places), trie.roots[0], dtype=np.int64)
    while len(places):
        here = trie.step(here, ids[places].astype(np.int64))
        nodes[places] = here
        places = places + 1
        inside = (here >= 0) & (places < len(ids))
        inside[inside] = learn[places[inside]] & (trie.count[here[inside]] > 0)
        places, here = places[inside], here[inside]
    return nodes


@dataclass(frozen=True)
class _Group:
    """Nodes of about the same size: n nodes, at most P positions and C children each.

    Attributes:
        positions: int64 [n, P], rows of the hidden states; `filled` says which are no padding.
        filled: bool [n, P].
        children: int64 [n, C], child nodes; `legal` says which are no padding.
        legal: bool [n, C].
        chosen: int64 [n, P], which child was written.
    """

    positions: Tensor
    filled: Tensor
    children: Tensor
    legal: Tensor
    chosen: Tensor


class LegalLoss:
    """Cross-entropy among the children of trie nodes.

    Args:
        trie: of the identifiers' token ids.
        head: the output matrix of the model that is trained.
    """

    def __init__(self, trie: Trie, head: OutputHead) -> None:
        self._head = head
        device = head.weight.device
        self._first = torch.from_numpy(trie.first).to(device).long()
        self._count = torch.from_numpy(trie.count).to(device).long()
        self._tokens = torch.from_numpy(trie.tokens).to(device).long()
        self._parents = torch.from_numpy(trie.parents).to(device).long()

    def __call__(self, hidden: Tensor, nodes: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Losses float32 [M].

        Args:
            hidden: [M, H], the states that tokens are written from.
            nodes: int64 [M], the nodes that they lead to; none is a root.
            label_smoothing: share of the target's probability that is spread over the legal tokens.
        """
        groups = list(self._groups(nodes))
        used, tokens = torch.unique(
            torch.cat([self._tokens[group.children].reshape(-1) for group in groups]), return_inverse=True
        )
        weight, bias = self._head.rows(used)
        columns = tokens.split([group.children.numel() for group in groups])
        losses, order = [], []
        for group, column in zip(groups, columns, strict=True):
            own = column.reshape(group.children.shape)
            scores = hidden[group.positions] @ weight[own].transpose(1, 2)
            if bias is not None:
                scores = scores + bias[own][:, None, :]
            found = _among(scores.float(), group, label_smoothing)
            losses.append(found[group.filled])
            order.append(group.positions[group.filled])
        return torch.cat(losses)[torch.cat(order).argsort()]

    def _groups(self, nodes: Tensor) -> Iterator[_Group]:
        """Positions by the node they are written from, nodes of like size together."""
        parents, own, counts = torch.unique(self._parents[nodes], return_inverse=True, return_counts=True)
        order = own.argsort(stable=True)
        begins = counts.cumsum(0) - counts
        children = self._count[parents]
        sizes = torch.stack([_magnitude(counts), _magnitude(children)], dim=1)
        for size in torch.unique(sizes, dim=0):
            chosen = (sizes == size).all(dim=1).nonzero().squeeze(1)
            across = torch.arange(int(counts[chosen].max()), device=nodes.device)
            filled = across < counts[chosen][:, None]
            positions = order[(begins[chosen][:, None] + across).clamp(max=len(order) - 1)]
            along = torch.arange(int(children[chosen].max()), device=nodes.device)
            legal = along < children[chosen][:, None]
            first = self._first[parents[chosen]][:, None]
            below = torch.where(legal, first + along, first)
            place = torch.where(filled, nodes[positions] - first, 0)
            yield _Group(positions, filled, below, legal, place)


def _among(scores: Tensor, group: _Group, label_smoothing: float) -> Tensor:
    """Losses float32 [n, P] of scores float32 [n, P, C]."""
    legal = group.legal[:, None, :]
    logs = scores.masked_fill(~legal, -torch.inf).log_softmax(-1)
    losses = -logs.gather(2, group.chosen[:, :, None]).squeeze(2)
    if not label_smoothing:
        return losses
    spread = -logs.masked_fill(~legal, 0.0).sum(2) / legal.sum(2)
    return (1 - label_smoothing) * losses + label_smoothing * spread


def _magnitude(sizes: Tensor) -> Tensor:
    """Which power of two each size (at least 1) reaches."""
    return sizes.double().log2().floor().long()
