"""Distillation over the trie: what a fitted baseline expects, as soft targets at each level of an identifier.

Next-item data names one item where many would have done. A baseline says which: its best items after the same
history, with their shares, are summed over the trie, and at each node of the target's path the children get
the shares of the items below them:

    target (5, 7)    teacher: (5, 7) .2   (5, 8) .3   (6, 7) .5
    root → 5: {5: .5, 6: .5}        5 → 7: {7: .4, 8: .6}

The loss of a token is (1 − weight) times the cross-entropy of what was chosen plus `weight` times that of the
shares. Where no item of the teacher is below a node the chosen token alone counts. The teacher is asked once,
before training, for every learnt identifier behind a history.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.baseline import CELLS, BaselineSession
from genrec_core.contracts.context import Context
from genrec_core.contracts.views import Request
from genrec_core.identifiers.trie import Trie, runs


def expected_items(
    session: BaselineSession,
    histories: Sequence[tuple[int, ...]],
    count: int,
    temperature: float,
    context: Context,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """A baseline's best items after each history, int32 [A, count], and their shares, float32 of the shape.

    Args:
        session: scores items; a share is proportional to exp(logit / `temperature`).
        histories: item indices, oldest first.
        count: items a history, at most the catalogue.
        temperature: below 1 sharpens.
        context: progress.
    """
    count = min(count, session.items)
    items = np.zeros((len(histories), count), dtype=np.int32)
    shares = np.zeros((len(histories), count), dtype=np.float32)
    chunk = max(1, CELLS // max(1, session.items))
    with context.progress("asking the teacher", len(histories)) as advance:
        for start in range(0, len(histories), chunk):
            rows = slice(start, start + chunk)
            logits = session.logits([Request("", history) for history in histories[rows]])
            top = np.argpartition(-logits, count - 1, axis=1)[:, :count]
            best = np.take_along_axis(logits, top, axis=1).astype(np.float64) / temperature
            raw = np.exp(best - best.max(axis=1, keepdims=True))
            items[rows], shares[rows] = top, raw / raw.sum(axis=1, keepdims=True)
            advance(len(logits))
    return items, shares


class TrieTeacher:
    """Soft targets among the children of trie nodes.

    Args:
        trie: of the identifiers' token ids, one catalogue or a forest.
        items: int32 [A, K], the items expected at each of A places, see `expected_items`.
        shares: float32 [A, K].
        weight: what soft targets count; the chosen token counts the rest.
    """

    def __init__(
        self, trie: Trie, items: NDArray[np.int32], shares: NDArray[np.float32], weight: float
    ) -> None:
        self.weight = weight
        self._items, self._shares = torch.from_numpy(items).long(), torch.from_numpy(shares)
        above, depth, catalogue, places = _layout(trie, int(items.max(initial=0)) + 1)
        self._above, self._depth = torch.from_numpy(above), torch.from_numpy(depth)
        self._catalogue, self._places = torch.from_numpy(catalogue), torch.from_numpy(places)
        self._parents = torch.from_numpy(trie.parents).long()

    def expected(self, asked: Tensor) -> tuple[Tensor, Tensor]:
        """The expected items int64 [M, K] and their shares float32 [M, K] at places of the table."""
        row = asked.clamp(min=0).cpu()
        return self._items[row].to(asked.device), self._shares[row].to(asked.device)

    def targets(self, nodes: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        """Children int64 [M, K] of the nodes that tokens are written from, and their shares float32 [M, K].

        Args:
            nodes: int64 [M], the nodes that the chosen tokens lead to.
            asked: int64 [M], which place of the teacher's table each belongs to; -1 for none.

        An entry that is not below the node has the share 0 and repeats the chosen child. Shares of a row add
        up to 1, or to 0 where the teacher expects nothing there.
        """
        device, nodes, asked = nodes.device, nodes.cpu(), asked.cpu()
        row = asked.clamp(min=0)
        places = self._places[self._catalogue[nodes][:, None], self._items[row]]
        found = self._above[self._depth[nodes][:, None], places.clamp(min=0)]
        below = (places >= 0) & (found >= 0) & (asked >= 0)[:, None]
        below &= self._parents[found.clamp(min=0)] == self._parents[nodes][:, None]
        shares = torch.where(below, self._shares[row], 0.0)
        shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        return torch.where(below, found, nodes[:, None]).to(device), shares.to(device)


def _layout(
    trie: Trie, items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where everything is.

    `above` [depth + 1, entries], the node of each depth over each entry of the trie, -1 where identifiers are
    shorter; `depth` and `catalogue` [M] of nodes; `places` [C, N], the entry of each item in each catalogue,
    -1 where it has none.
    """
    deepest = trie.depth()
    above = np.full((deepest + 1, len(trie.items)), -1, dtype=np.int64)
    depth, catalogue = np.zeros((2, len(trie.tokens)), dtype=np.int64)
    catalogue[trie.roots] = np.arange(len(trie.roots))
    nodes = trie.roots.astype(np.int64)
    for level in range(deepest + 1):
        depth[nodes] = level
        leaves, counts = trie.leaves[nodes], trie.count[nodes]
        above[level, runs(trie.starts[nodes], leaves)] = np.repeat(nodes, leaves)
        children = runs(trie.first[nodes], counts)
        catalogue[children] = np.repeat(catalogue[nodes], counts)
        nodes = children
    size = max(items, int(trie.items.max(initial=0)) + 1)
    places = np.full((len(trie.roots), size), -1, dtype=np.int64)
    places[catalogue[above[0]], trie.items] = np.arange(len(trie.items))
    return above, depth, catalogue, places
