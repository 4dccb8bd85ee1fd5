"""Compiling tries: sort the sequences once, then read the nodes off the places where neighbours differ.

Two sorted neighbours share a node at every depth at which they have not differed yet, so each level of
the trie is one vectorised comparison. A million identifiers of four tokens take about a second.

An identifier that is the beginning of another needs a token that says "it ends here":

    >>> trie = compile_trie([[1, 2], [1, 2, 3]], terminator=0, terminate="ambiguous")
    >>> trie.legal(trie.descend([1, 2])).tolist()
    [0, 3]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import ContractError
from genrec_core.identifiers.trie import Ints, Trie

Terminate = Literal["always", "ambiguous"]
Rows = Sequence[Sequence[int]] | NDArray[np.integer]


def compile_trie(
    sequences: Rows,
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


def extend_trie(trie: Trie, sequences: Rows, items: Sequence[int]) -> Trie:
    """A trie with more identifiers; those already in it keep their items.

    The new sequences must already carry the terminator where the old ones do.
    """
    old = list(trie.entries())
    rows = [tokens for tokens, _ in old] + [list(row) for row in sequences]
    return compile_trie(rows, [item for _, item in old] + list(items))


def _matrix(sequences: Rows) -> Ints:
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
