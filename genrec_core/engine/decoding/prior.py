"""Prior: a distribution over items, summed over the trie, beside the model's own at every step.

A baseline gives each item a probability, proportional to exp(`weight` · logit). A node of the trie has the
sum of those under it, so each step of a search has a conditional probability, like a step of the model:

    items under node a: 0.1 + 0.3    under its child ab: 0.3    step a → b: 0.3 / 0.4

Along a path the conditionals multiply to the item's own probability. A beam's score is therefore log p of the
model plus `weight` times the baseline's logit, less a constant of the request: exactly, and what beams keep
on the way agrees with how they are ranked in the end. The weight stands inside the exponent and not before
the logarithm of the sums, because sums of a flat distribution count items: the best item of a branch would
be lost among many poor ones of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.baseline import BaselineSession, Exceptions
from genrec_core.contracts.views import Request
from genrec_core.identifiers.trie import Trie, runs

LOWEST = -600.0
"""Smallest log-probability of an item that differs from probability 0: float64 ends at about -708."""


class _Layout(NamedTuple):
    """What is the same for every request.

    Attributes:
        trie: kept, so that no other object gets its `id` meanwhile.
        levels: of each depth the nodes, and where the run of items under each begins and ends, alternating;
            int64.
        places: int64 [items], where each item stands in the trie's own order; -1 where it has no answer.
        leaves: float32 [M], the logarithm of how many items are under each node.
    """

    trie: Trie
    levels: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
    places: NDArray[np.int64]
    leaves: NDArray[np.float32]


class Prior:
    """A fitted baseline as a prior of search.

    Args:
        session: scores items.
        weight: what its logits are multiplied with.
    """

    def __init__(self, session: BaselineSession, weight: float) -> None:
        self.session, self.weight = session, weight
        self._layouts: dict[int, _Layout] = {}

    def nodes(self, trie: Trie, requests: Sequence[Request], device: torch.device) -> Tensor:
        """The log-probability of every node for each request, float32 [requests, M]."""
        few, layout = self.session.exceptions(requests), self._layout(trie)
        table = self._all(layout, requests) if few is None else self._but(layout, len(requests), few)
        return torch.from_numpy(table).to(device)

    def _all(self, layout: _Layout, requests: Sequence[Request]) -> NDArray[np.float32]:
        """From the logits of all items."""
        trie = layout.trie
        logits = self.weight * self.session.logits(requests).astype(np.float64)[:, trie.items]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        # A column more, because the last run of items ends behind the last item.
        shares = np.pad(np.exp(np.maximum(logits, LOWEST)), ((0, 0), (0, 1)))
        table = np.empty((len(requests), len(trie.tokens)), dtype=np.float32)
        for nodes, edges in layout.levels:
            table[:, nodes] = np.log(np.add.reduceat(shares, edges, axis=1)[:, ::2])
        return table

    def _but(self, layout: _Layout, requests: int, exceptions: Exceptions) -> NDArray[np.float32]:
        """All items are alike but a few, so shares are numbers of items but for nodes above those few."""
        trie, at = layout.trie, layout.places[exceptions.items]
        rows, logits, at = exceptions.rows[at >= 0], self.weight * exceptions.logits[at >= 0], at[at >= 0]
        alike = len(trie.items) - np.bincount(rows, minlength=requests)
        highest = np.where(alike > 0, 0.0, -np.inf)
        np.maximum.at(highest, rows, logits)
        logits, rest = logits - highest[rows], np.where(alike > 0, -highest, -np.inf)
        total = np.log(alike * np.exp(rest) + np.bincount(rows, np.exp(logits), requests))
        one = np.maximum(rest - total, LOWEST)  # log-probability of an item like most
        shares = np.exp(np.maximum(logits - total[rows], LOWEST))
        table: NDArray[np.float32] = layout.leaves + one[:, None].astype(np.float32)
        for nodes, edges in layout.levels:
            inside = np.searchsorted(edges[::2], at, side="right") - 1
            under = np.flatnonzero((inside >= 0) & (at < edges[1::2][inside]))
            cells, which = np.unique(
                rows[under] * len(trie.tokens) + nodes[inside[under]], return_inverse=True
            )
            row, node = np.divmod(cells, len(trie.tokens))
            others = (trie.leaves[node] - np.bincount(which)) * np.exp(one[row])
            table[row, node] = np.log(others + np.bincount(which, shares[under]))
        return table

    def _layout(self, trie: Trie) -> _Layout:
        if id(trie) not in self._layouts:
            levels, nodes = [], trie.roots.astype(np.int64)
            while len(nodes):
                starts = trie.starts[nodes].astype(np.int64)
                levels.append((nodes, np.stack([starts, starts + trie.leaves[nodes]], axis=1).ravel()))
                nodes = runs(trie.first[nodes], trie.count[nodes])
            places = np.full(self.session.items, -1, dtype=np.int64)
            places[trie.items] = np.arange(len(trie.items))
            leaves = np.log(trie.leaves).astype(np.float32)
            self._layouts[id(trie)] = _Layout(trie, levels, places, leaves)
        return self._layouts[id(trie)]
