"""Dataset: what a source gives: items, users' interactions in time order, explicit rows.

Interactions are stored as one flat array cut by offsets (CSR), so that a million users fit in memory.

    >>> sequences = Sequences.of([[0, 2, 1], [2]])
    >>> sequences.row(0)
    array([0, 2, 1], dtype=int32)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.items import Items


@dataclass(frozen=True)
class Sequences:
    """Variable-length integer rows in one array.

    Attributes:
        values: int32 [total], all rows after one another.
        offsets: int64 [rows + 1]; row r is `values[offsets[r]:offsets[r + 1]]`.
    """

    values: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int] | NDArray[np.int32]]) -> Sequences:
        """From any rows of integers."""
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        values = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)
        return cls(values.astype(np.int32, copy=False), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each row, int64 [rows]."""
        return np.diff(self.offsets)

    def row(self, index: int) -> NDArray[np.int32]:
        """One row, a view into `values`."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]


@dataclass(frozen=True)
class EvaluationRows:
    """Explicit evaluation rows that a data folder brings along (`valid.jsonl`, `test.jsonl`)."""

    users: tuple[str, ...]
    histories: Sequences
    targets: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.users)


class OracleDistribution(Protocol):
    """The true distribution of the next item. Only made-up data has one; only an oracle baseline reads it."""

    def next_item(self, history: NDArray[np.int32]) -> NDArray[np.float64]:
        """Probability of every item given the items so far, float64 [N], sums to one."""


@dataclass(frozen=True)
class Dataset:
    """Everything a source knows.

    Attributes:
        items: the catalogue.
        users: user ids, one a row of `sequences`.
        sequences: item indices of each user in time order.
        times: timestamps beside `sequences.values` (float64, seconds), or None when only order is known.
        domains: a domain label for each interaction beside `sequences.values`, or empty.
        attributes: user id → fields of that user.
        valid: explicit validation rows.
        test: explicit test rows.
        oracle: see `OracleDistribution`.
        notes: what the source did to the data (duplicates merged, ties broken …), for the report.
    """

    items: Items
    users: tuple[str, ...]
    sequences: Sequences
    times: NDArray[np.float64] | None = None
    domains: tuple[str, ...] = ()
    attributes: dict[str, dict[str, object]] = field(default_factory=dict)
    valid: EvaluationRows | None = None
    test: EvaluationRows | None = None
    oracle: OracleDistribution | None = None
    notes: tuple[str, ...] = ()
