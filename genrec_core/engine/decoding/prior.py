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


class _Level(NamedTuple):
    """Nodes of one depth, int64: their numbers, and where the run of items under each begins and ends."""

    nodes: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Prior:
    """A fitted baseline as a prior of search.

    Args:
        session: scores items.
        weight: what its logits are multiplied with.
    """

    def __init__(self, session: BaselineSession, weight: float) -> None:
        self.session, self.weight = session, weight
        self._known: dict[int, tuple[Trie, list[_Level]]] = {}

    def nodes(self, trie: Trie, requests: Sequence[Request], device: torch.device) -> Tensor:
        """The log-probability of every node for each request, float32 [requests, M]."""
        few = self.session.exceptions(requests)
        table = self._all(trie, requests) if few is None else self._but(trie, len(requests), few)
        return torch.from_numpy(table).to(device)

    def _all(self, trie: Trie, requests: Sequence[Request]) -> NDArray[np.float32]:
        """From the logits of all items."""
        logits = self.weight * self.session.logits(requests).astype(np.float64)[:, trie.items]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        # A column more, because the last run of items ends behind the last item.
        shares = np.pad(np.exp(np.maximum(logits, LOWEST)), ((0, 0), (0, 1)))
        table = np.empty((len(requests), len(trie.tokens)), dtype=np.float32)
        for level in self._levels(trie):
            edges = np.stack([level.starts, level.ends], axis=1).ravel()
            table[:, level.nodes] = np.log(np.add.reduceat(shares, edges, axis=1)[:, ::2])
        return table

    def _but(self, trie: Trie, requests: int, exceptions: Exceptions) -> NDArray[np.float32]:
        """All items are alike but a few, so shares are numbers of items but for nodes above those few."""
        places = np.full(self.session.items, -1, dtype=np.int64)
        places[trie.items] = np.arange(len(trie.items))
        at = places[exceptions.items]
        rows, logits, at = exceptions.rows[at >= 0], self.weight * exceptions.logits[at >= 0], at[at >= 0]
        alike = len(trie.items) - np.bincount(rows, minlength=requests)
        highest = np.where(alike > 0, 0.0, -np.inf)
        np.maximum.at(highest, rows, logits)
        logits, rest = logits - highest[rows], np.where(alike > 0, -highest, -np.inf)
        total = np.log(alike * np.exp(rest) + np.bincount(rows, np.exp(logits), requests))
        one = np.maximum(rest - total, LOWEST)  # log-probability of an item like most
        shares = np.exp(np.maximum(logits - total[rows], LOWEST))
        table: NDArray[np.float32] = np.log(trie.leaves).astype(np.float32) + one[:, None].astype(np.float32)
        for level in self._levels(trie):
            inside = np.searchsorted(level.starts, at, side="right") - 1
            under = np.flatnonzero((inside >= 0) & (at < level.ends[inside]))
            cells, which = np.unique(
                rows[under] * len(trie.tokens) + level.nodes[inside[under]], return_inverse=True
            )
            row, node = np.divmod(cells, len(trie.tokens))
            others = (trie.leaves[node] - np.bincount(which)) * np.exp(one[row])
            table[row, node] = np.log(others + np.bincount(which, shares[under]))
        return table

    def _levels(self, trie: Trie) -> list[_Level]:
        """The nodes of each depth, by the items under them."""
        if id(trie) not in self._known:
            levels, nodes = [], trie.roots.astype(np.int64)
            while len(nodes):
                starts = trie.starts[nodes].astype(np.int64)
                levels.append(_Level(nodes, starts, starts + trie.leaves[nodes]))
                nodes = runs(trie.first[nodes], trie.count[nodes])
            self._known[id(trie)] = (trie, levels)
        return self._known[id(trie)][1]
