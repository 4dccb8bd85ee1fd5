"""The compiled trie: every identifier of a catalogue as integer arrays.

A constraint is asked one question, millions of times: which tokens may follow here? Nodes are numbered
breadth first and children are sorted by token, so the children of a node are a run of consecutive
nodes, and the answer for a whole batch of beams is one gather. Sequences are sorted too, so the items
under a node are a run of consecutive entries: leaf counts and restrictions are subtractions.

    >>> trie = compile_trie([[5, 7], [5, 8], [6, 7]])
    >>> trie.tokens.tolist(), trie.first.tolist(), trie.count.tolist()
    ([-1, 5, 6, 7, 8, 7], [1, 3, 5, 6, 6, 6], [2, 2, 1, 0, 0, 0])

Node 0 is the root; its children are nodes 1 and 2 (tokens 5 and 6); node 1's are 3 and 4. `forest` puts
several catalogues side by side, each with its own root, and the same arrays serve all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import GenrecError

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Trie:
    """Identifiers as arrays: M nodes, N items, C catalogues.

    Attributes:
        first: int32 [M]; the children of node v are nodes `first[v] … first[v] + count[v] - 1`.
        count: int32 [M], number of children; 0 where identifiers end.
        tokens: int32 [M], the token on the edge into each node, ascending among siblings; -1 at roots.
        starts: int32 [M]; the items under node v are `items[starts[v] : starts[v] + leaves[v]]`.
        leaves: int32 [M], how many items lie at or under each node.
        ends: int32 [M], how many items end exactly at each node (they come first in its run).
        items: int32 [N], item indices in order of their sequences; items that share a sequence keep
            catalogue order.
        roots: int32 [C], one root for each catalogue.
    """

    first: Ints
    count: Ints
    tokens: Ints
    starts: Ints
    leaves: Ints
    ends: Ints
    items: Ints
    roots: Ints

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return sum(getattr(self, name).nbytes for name in self.__dataclass_fields__)

    @cached_property
    def _inner(self) -> NDArray[np.int64]:
        """All nodes but the roots. Breadth-first numbering makes this the order of their parents too."""
        return np.setdiff1d(np.arange(len(self.tokens)), self.roots, assume_unique=True)

    @cached_property
    def parents(self) -> Ints:
        """int32 [M], the node above each node; -1 at roots."""
        parents = np.full(len(self.tokens), -1, dtype=np.int32)
        parents[self._inner] = np.repeat(np.arange(len(self.tokens), dtype=np.int32), self.count)
        return parents

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        """(parent, token) of every inner node as one ascending key, for look-ups by binary search."""
        return self.parents[self._inner].astype(np.int64) << 32 | self.tokens[self._inner]

    def step(self, nodes: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """The child of each node by each token, int64 of the arguments' shape; -1 where there is none."""
        wanted = (nodes.astype(np.int64) << 32) | tokens.astype(np.int64)
        if not len(self._edges):
            return np.full(wanted.shape, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._edges, wanted), len(self._edges) - 1)
        found = (self._edges[place] == wanted) & (nodes >= 0) & (tokens >= 0)
        return np.where(found, self._inner[place], -1)

    def descend(self, prefix: Sequence[int], catalogue: int = 0) -> int:
        """The node reached from a catalogue's root by a token prefix, -1 when no identifier begins so."""
        node = self.roots[catalogue : catalogue + 1].astype(np.int64)
        for token in prefix:
            node = self.step(node, np.asarray([token]))
        return int(node[0])

    def legal(self, node: int) -> Ints:
        """Tokens that may follow at a node, ascending; empty where identifiers end."""
        return self.tokens[self.first[node] : self.first[node] + self.count[node]]

    def items_at(self, node: int) -> Ints:
        """Items whose identifier ends at this node, in catalogue order."""
        return self.items[self.starts[node] : self.starts[node] + self.ends[node]]

    def items_under(self, node: int) -> Ints:
        """Items at or under this node."""
        return self.items[self.starts[node] : self.starts[node] + self.leaves[node]]

    def path(self, node: int) -> list[int]:
        """Tokens from the root to a node."""
        tokens: list[int] = []
        while self.parents[node] >= 0:
            tokens.append(int(self.tokens[node]))
            node = int(self.parents[node])
        return tokens[::-1]

    def entries(self, catalogue: int = 0) -> Iterator[tuple[list[int], int]]:
        """(tokens, item) of every item of a catalogue, in order of the sequences."""
        pending = [(int(self.roots[catalogue]), [])]  # type: list[tuple[int, list[int]]]
        while pending:
            node, tokens = pending.pop()
            yield from ((tokens, int(item)) for item in self.items_at(node))
            children = range(self.first[node], self.first[node] + self.count[node])
            pending.extend((child, [*tokens, int(self.tokens[child])]) for child in reversed(children))

    def depth(self) -> int:
        """Number of tokens of the longest identifier."""
        nodes, depth = self.roots.astype(np.int64), -1
        while len(nodes):
            counts = self.count[nodes].astype(np.int64)
            shift = self.first[nodes] - (np.cumsum(counts) - counts)
            nodes, depth = np.arange(int(counts.sum())) + np.repeat(shift, counts), depth + 1
        return depth

    def restrict(self, keep: NDArray[np.bool_]) -> Trie:
        """The trie of only the items where `keep` (bool, by item index) holds.

        Nothing is sorted again: a node stays when an item under it stays.

        Raises:
            GenrecError: no item of some catalogue stays, so nothing could ever be generated.
        """
        kept = keep[self.items]
        total = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)
        leaves = total[self.starts + self.leaves] - total[self.starts]
        if (leaves[self.roots] == 0).any():
            raise GenrecError(
                "the restriction leaves no item to recommend", hint="keep at least one item of the catalogue"
            )
        alive = leaves > 0
        before = np.concatenate([[0], np.cumsum(alive)]).astype(np.int32)
        return Trie(
            first=before[self.first[alive]],
            count=(before[self.first + self.count] - before[self.first])[alive],
            tokens=self.tokens[alive],
            starts=total[self.starts[alive]],
            leaves=leaves[alive],
            ends=(total[self.starts + self.ends] - total[self.starts])[alive],
            items=self.items[kept],
            roots=before[self.roots],
        )


def forest(tries: Sequence[Trie]) -> Trie:
    """Several catalogues in one set of arrays; catalogue c of the result is the c-th root of the inputs."""
    nodes = np.cumsum([0, *(len(trie.tokens) for trie in tries)])[:-1]
    items = np.cumsum([0, *(len(trie.items) for trie in tries)])[:-1]

    def joined(name: str, shifts: NDArray[np.int64] | None = None) -> Ints:
        parts = [getattr(trie, name) for trie in tries]
        if shifts is not None:
            parts = [part + shift for part, shift in zip(parts, shifts, strict=True)]
        return np.concatenate(parts).astype(np.int32)

    return Trie(
        first=joined("first", nodes),
        count=joined("count"),
        tokens=joined("tokens"),
        starts=joined("starts", items),
        leaves=joined("leaves"),
        ends=joined("ends"),
        items=joined("items"),
        roots=joined("roots", nodes),
    )
