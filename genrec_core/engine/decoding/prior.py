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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.baseline import BaselineSession
from genrec_core.contracts.views import Request
from genrec_core.identifiers.trie import Trie, runs

LOWEST = -600.0
"""Smallest log-probability of an item that differs from probability 0: float64 ends at about -708."""


class Prior:
    """A fitted baseline as a prior of search.

    Args:
        session: scores items.
        weight: what its logits are multiplied with.
    """

    def __init__(self, session: BaselineSession, weight: float) -> None:
        self.session, self.weight = session, weight
        self._sums: dict[int, tuple[Trie, list[tuple[NDArray[np.int64], NDArray[np.int64]]]]] = {}

    def nodes(self, trie: Trie, requests: Sequence[Request], device: torch.device) -> Tensor:
        """The log-probability of every node for each request, float32 [requests, M]."""
        logits = self.weight * self.session.logits(requests).astype(np.float64)[:, trie.items]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        # A column more, because the last run of items ends behind the last item.
        shares = np.pad(np.exp(np.maximum(logits, LOWEST)), ((0, 0), (0, 1)))
        table = np.empty((len(requests), len(trie.tokens)), dtype=np.float32)
        for nodes, edges in self._levels(trie):
            table[:, nodes] = np.log(np.add.reduceat(shares, edges, axis=1)[:, ::2])
        return torch.from_numpy(table).to(device)

    def _levels(self, trie: Trie) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Of each depth the nodes, and where the run of items under each begins and ends, alternating."""
        if id(trie) not in self._sums:
            levels, nodes = [], trie.roots.astype(np.int64)
            while len(nodes):
                starts = trie.starts[nodes].astype(np.int64)
                levels.append((nodes, np.stack([starts, starts + trie.leaves[nodes]], axis=1).ravel()))
                nodes = runs(trie.first[nodes], trie.count[nodes])
            self._sums[id(trie)] = (trie, levels)
        return self._sums[id(trie)][1]
