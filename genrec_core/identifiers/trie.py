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

**Compiling.** Sequences are sorted once, and the nodes are read off the places where neighbours differ: two
sorted neighbours share a node at every depth at which they have not differed yet, so each level is one
vectorised comparison. A million identifiers of four tokens take about a second. An identifier that is the
beginning of another needs a token that says "it ends here":

    >>> trie = compile_trie([[1, 2], [1, 2, 3]], terminator=0, terminate="ambiguous")
    >>> trie.legal(trie.descend([1, 2])).tolist()
    [0, 3]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import ContractError, GenrecError

Ints = NDArray[np.int32]


def runs(starts: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """The places of runs, one run after another.

    >>> runs(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    counts = counts.astype(np.int64)
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))


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
    def depths(self) -> Ints:
        """int32 [M], how many tokens lead to each node; 0 at roots."""
        depths = np.zeros(len(self.tokens), dtype=np.int32)
        above = self.parents.copy()
        while (alive := above >= 0).any():
            depths += alive
            above = np.where(alive, self.parents[above], -1)
        return depths

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

    def items_of_nodes(self, nodes: NDArray[np.integer]) -> tuple[Ints, NDArray[np.int64]]:
        """Items whose identifiers end at some nodes, one node after another, and how many each has."""
        counts = self.ends[nodes].astype(np.int64)
        return self.items[runs(self.starts[nodes], counts)], counts

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
            nodes, depth = runs(self.first[nodes], self.count[nodes]), depth + 1
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


Terminate = Literal["always", "ambiguous"]
TokenRows = Sequence[Sequence[int]] | NDArray[np.integer]


def compile_trie(
    sequences: TokenRows,
    items: Sequence[int] | NDArray[np.integer] | None = None,
    *,
    terminator: int | None = None,
    terminate: Terminate = "always",
) -> Trie:
    """A trie over token ids.

    Args:
        sequences: one token sequence an item: lists, or an integer matrix padded with -1 at the right.
        items: the item index of each sequence; 0 … N-1 by default.
        terminator: token appended to say that an identifier ends.
        terminate: append it to every sequence, or only to those that another sequence continues.

    Raises:
        ContractError: a sequence is empty, or one continues another and there is no terminator.
    """
    matrix = _matrix(sequences)
    indices = np.arange(len(matrix), dtype=np.int32) if items is None else np.asarray(items, dtype=np.int32)
    lengths = (matrix >= 0).sum(axis=1, dtype=np.int32)
    if not len(matrix) or not lengths.all():
        bad = np.flatnonzero(lengths == 0)[:3].tolist()
        raise ContractError(
            f"a trie needs non-empty token sequences, got {len(matrix)} sequences, empty ones at {bad}",
            hint="every item needs an identifier of at least one token",
        )
    if terminator is not None and terminate == "always":
        matrix = _ended(matrix, lengths, np.ones(len(matrix), dtype=bool), terminator)
    matrix, indices = _sorted(matrix, indices)
    inside = _continued(matrix)
    if inside.any():
        if terminator is None:
            shorter = matrix[np.flatnonzero(inside)[0]]
            raise ContractError(
                f"the token sequence {shorter[shorter >= 0].tolist()} is the beginning of another one",
                hint="give a terminator, so that the shorter identifier can be written at all",
            )
        matrix = _ended(matrix, (matrix >= 0).sum(axis=1, dtype=np.int32), inside, terminator)
        matrix, indices = _sorted(matrix, indices)
    return _nodes(matrix, indices)


def extend_trie(trie: Trie, sequences: TokenRows, items: Sequence[int]) -> Trie:
    """A trie with more identifiers; those already in it keep their items.

    The new sequences must already carry the terminator where the old ones do.
    """
    old = list(trie.entries())
    rows = [tokens for tokens, _ in old] + [list(row) for row in sequences]
    return compile_trie(rows, [item for _, item in old] + list(items))


def _matrix(sequences: TokenRows) -> Ints:
    if isinstance(sequences, np.ndarray):
        return sequences.astype(np.int32, copy=False)
    lengths = np.asarray([len(row) for row in sequences], dtype=np.int64)
    matrix = np.full((len(sequences), int(lengths.max(initial=0))), -1, dtype=np.int32)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = np.concatenate(
        [np.asarray(row, dtype=np.int32) for row in sequences] or [np.zeros(0, dtype=np.int32)]
    )
    return matrix


def _sorted(matrix: Ints, items: Ints) -> tuple[Ints, Ints]:
    """Both in stable lexicographic order; -1 pads sort a shorter sequence before those that continue it."""
    order = np.lexsort(matrix.T[::-1])
    return matrix[order], items[order]


def _ended(matrix: Ints, lengths: Ints, where: NDArray[np.bool_], terminator: int) -> Ints:
    wider = np.pad(matrix, ((0, 0), (0, 1)), constant_values=-1)
    rows = np.flatnonzero(where)
    wider[rows, lengths[rows]] = terminator
    return wider


def _continued(matrix: Ints) -> NDArray[np.bool_]:
    """Rows of a sorted matrix whose sequence is a proper beginning of some other row."""
    lengths = (matrix >= 0).sum(axis=1)
    same = (matrix[:-1] == matrix[1:]) | (matrix[:-1] < 0)
    begins = np.append(same.all(axis=1) & (lengths[:-1] < lengths[1:]), False)
    if not begins.any():
        return begins
    # Equal rows are neighbours: what holds for the last of a run holds for the whole run.
    run = np.append(0, np.cumsum((matrix[1:] != matrix[:-1]).any(axis=1)))
    continued: NDArray[np.bool_] = np.isin(run, run[begins])
    return continued


def _nodes(matrix: Ints, items: Ints) -> Trie:
    """Nodes level by level from sorted rows; breadth-first order falls out of the sorting."""
    rows, depth = matrix.shape
    changed = np.arange(rows) == 0
    node_of_row = np.zeros(rows, dtype=np.int32)
    tokens, starts = [np.asarray([-1], dtype=np.int32)], [np.zeros(1, dtype=np.int32)]
    leaves, parents = [np.asarray([rows], dtype=np.int32)], []
    base = np.int32(1)
    for level in range(depth):
        column = matrix[:, level]
        changed[1:] |= column[1:] != column[:-1]
        held = column >= 0
        new = changed & held
        here = np.flatnonzero(new)
        parents.append(node_of_row[here])
        tokens.append(column[here])
        starts.append(here.astype(np.int32))
        leaves.append(np.add.reduceat(held, here, dtype=np.int32))
        node_of_row = np.where(held, base - 1 + np.cumsum(new, dtype=np.int32), node_of_row)
        base += len(here)
    count = np.bincount(np.concatenate(parents), minlength=base).astype(np.int32)
    first = (1 + np.cumsum(count) - count).astype(np.int32)
    ends = np.bincount(node_of_row, minlength=base).astype(np.int32)
    return Trie(
        first=first,
        count=count,
        tokens=np.concatenate(tokens),
        starts=np.concatenate(starts),
        leaves=np.concatenate(leaves),
        ends=ends,
        items=items,
        roots=np.zeros(1, dtype=np.int32),
    )
