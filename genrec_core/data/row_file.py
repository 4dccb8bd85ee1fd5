"""Explicit rows: `valid.jsonl[.gz]` and `test.jsonl[.gz]`, each line a history and the item that followed.

{"user_id": "u1", "history": ["a", "b"], "target": "c"}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import EvaluationRows, Sequences
from genrec_core.contracts.errors import examples
from genrec_core.data.defects import Defects
from genrec_core.data.events import note_unknown_item
from genrec_core.data.lines import records
from genrec_core.data.sequence_file import item_row
from genrec_core.data.values import StrictValues, UnusableValueError


def read_rows(path: Path, catalogue: Mapping[str, int] | None, defects: Defects) -> EvaluationRows:
    """All sound rows in file order; a user may have several."""
    users: list[str] = []
    histories: list[list[int]] = []
    targets: list[int] = []
    values = StrictValues()
    for line, record in records(path, defects):
        history = item_row(record.get("history"), "history", catalogue, (path, line), defects)
        cells = []
        for column in ("user_id", "target"):
            try:
                cells.append(values.identity(record.get(column), column))
            except UnusableValueError as error:
                defects.add(error.what, record.get(column), path, line, error.hint)
        if len(cells) < 2:
            continue
        user, target = cells
        if catalogue is not None and target not in catalogue:
            note_unknown_item(target, path, line, defects)
        elif history is not None:
            users.append(user)
            histories.append(history)
            targets.append(catalogue[target] if catalogue is not None else 0)
    return EvaluationRows(tuple(users), Sequences.of(histories), np.array(targets, dtype=np.int32))


def repeated_rows(
    valid: EvaluationRows | None, test: EvaluationRows | None, max_history: int | None = None
) -> list[str]:
    """What is judged twice, as sentences: equal rows within a part, and validation rows that are test rows.

    Within a part a row is its user, history and target. A test row is a validation row where user, target
    and the newest `max_history` items agree, since a recommender is shown no others; without it, where one
    history is the end of the other. A test row among the validation rows means that the best step is
    chosen on the test.
    """
    found = []
    for name, part in (("valid", valid), ("test", test)):
        counted = Counter() if part is None else Counter(_keys(part))
        if count := sum(counted.values()) - len(counted):
            users = dict.fromkeys(user for (user, _, _), often in counted.items() if often > 1)
            found.append(f"{count:,} {name} rows repeat another one, of users {examples(users)}")
    if valid is None or test is None:
        return found
    known: dict[tuple[str, int], list[NDArray[np.int32]]] = {}
    for index, user in enumerate(valid.users):
        known.setdefault((user, int(valid.targets[index])), []).append(valid.histories.row(index))
    both: dict[tuple[str, bytes, int], None] = {}
    for index, user in enumerate(test.users):
        history, target = test.histories.row(index), int(test.targets[index])
        others = known.get((user, target), ())
        if any(_same_question(history, other, max_history) for other in others):
            both[user, history.tobytes(), target] = None
    if both:
        users = dict.fromkeys(user for user, _, _ in both)
        found.append(f"{len(both):,} test rows are validation rows too, of users {examples(users)}")
    return found


def _keys(rows: EvaluationRows) -> Iterator[tuple[str, bytes, int]]:
    for index, user in enumerate(rows.users):
        yield user, rows.histories.row(index).tobytes(), int(rows.targets[index])


def _same_question(one: NDArray[np.int32], other: NDArray[np.int32], max_history: int | None) -> bool:
    """Whether two histories are alike in their newest items, see `repeated_rows`."""
    shown = min(len(one), len(other)) if max_history is None else max_history
    if not shown:
        return len(one) == len(other)
    newest, others = (history[max(0, len(history) - shown) :] for history in (one, other))
    return np.array_equal(newest, others)
