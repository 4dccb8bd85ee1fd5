"""Limiting: a part of a data set, to try a pipeline in a minute before it runs on everything.

    limited(dataset, users=500)     500 users drawn at random, and the items that they had to do with

Users are drawn by a fixed seed, so a limited run can be repeated and its stages are shared. Other items are
drawn beside those of these users until there are 2,000, since few things work on a handful; where the data's
own distribution is known it speaks of all items, and all stay. What is left is a data set like any other: the
mark of having been limited is in the protocol, never in the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Dataset, EvaluationRows, Sequences

_SEED = 0
_LEAST_ITEMS = 2_000


def limited(dataset: Dataset, users: int) -> Dataset:
    """So many users of a data set, or all where there are fewer, with a note that counts.

    Args:
        dataset: the whole.
        users: how many.
    """
    everyone = list(dict.fromkeys([*dataset.users, *_row_users(dataset.valid), *_row_users(dataset.test)]))
    generator = np.random.default_rng(_SEED)
    if users < len(everyone):
        drawn = generator.choice(len(everyone), users, replace=False)
        everyone = [everyone[place] for place in sorted(drawn.tolist())]
    chosen = set(everyone)
    kept = [row for row, user in enumerate(dataset.users) if user in chosen]
    sequences, places = _rows(dataset.sequences, kept)
    valid, test = _limited_rows(dataset.valid, chosen), _limited_rows(dataset.test, chosen)
    parts = [sequences.values]
    for rows in (valid, test):
        parts += [rows.histories.values, rows.targets] if rows is not None else []
    items = np.arange(len(dataset.items))
    if dataset.oracle is None:
        items = _items(np.concatenate(parts), len(dataset.items), generator)
    number = np.full(len(dataset.items), -1, dtype=np.int32)
    number[items] = np.arange(len(items), dtype=np.int32)
    note = (
        f"only {len(kept):,} of {len(dataset.users):,} users and {len(items):,} of {len(dataset.items):,} "
        f"items were used (`limit: {users}`)"
    )
    return replace(
        dataset,
        items=dataset.items.subset(items.tolist()),
        users=tuple(dataset.users[row] for row in kept),
        sequences=Sequences(number[sequences.values], sequences.offsets),
        times=None if dataset.times is None else dataset.times[places],
        domains=tuple(dataset.domains[place] for place in places.tolist()) if dataset.domains else (),
        attributes={user: fields for user, fields in dataset.attributes.items() if user in chosen},
        valid=_renumbered(valid, number),
        test=_renumbered(test, number),
        notes=(*dataset.notes, note),
    )


def _row_users(rows: EvaluationRows | None) -> Sequence[str]:
    return rows.users if rows is not None else ()


def _rows(sequences: Sequences, kept: Sequence[int]) -> tuple[Sequences, NDArray[np.int64]]:
    """Some rows, and where their values stood."""
    spans = [np.arange(sequences.offsets[row], sequences.offsets[row + 1]) for row in kept]
    places = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    return Sequences.of([sequences.row(row) for row in kept]), places


def _limited_rows(rows: EvaluationRows | None, users: set[str]) -> EvaluationRows | None:
    if rows is None:
        return None
    kept = [row for row, user in enumerate(rows.users) if user in users]
    histories, _ = _rows(rows.histories, kept)
    return EvaluationRows(tuple(rows.users[row] for row in kept), histories, rows.targets[kept])


def _renumbered(rows: EvaluationRows | None, number: NDArray[np.int32]) -> EvaluationRows | None:
    if rows is None:
        return None
    histories = Sequences(number[rows.histories.values], rows.histories.offsets)
    return EvaluationRows(rows.users, histories, number[rows.targets])


def _items(seen: NDArray[np.int32], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Items that were seen, and others at random until there are enough; in the catalogue's order."""
    used = np.zeros(count, dtype=bool)
    used[seen] = True
    more = min(_LEAST_ITEMS, count) - int(used.sum())
    if more > 0:
        used[generator.choice(np.flatnonzero(~used), more, replace=False)] = True
    return np.flatnonzero(used)
