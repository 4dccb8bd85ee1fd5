"""Explicit rows: `valid.jsonl[.gz]` and `test.jsonl[.gz]`, each line a history and the item that followed.

{"user_id": "u1", "history": ["a", "b"], "target": "c"}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

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


def repeated_rows(valid: EvaluationRows | None, test: EvaluationRows | None) -> list[str]:
    """What is judged twice, as sentences: equal rows within a part, and validation rows that are test rows.

    A row is its user, history and target. A test row among the validation rows means that the best step is
    chosen on the test.
    """
    seen: dict[str, dict[tuple[str, bytes, int], None]] = {}
    found = []
    for name, part in (("valid", valid), ("test", test)):
        keys = [] if part is None else [_row_key(part, index) for index in range(len(part))]
        seen[name] = dict.fromkeys(keys)
        if len(keys) > len(seen[name]):
            counted: dict[tuple[str, bytes, int], int] = {}
            for key in keys:
                counted[key] = counted.get(key, 0) + 1
            users = dict.fromkeys(key[0] for key, count in counted.items() if count > 1)
            count = len(keys) - len(seen[name])
            found.append(f"{count:,} {name} rows repeat another one, of users {examples(users)}")
    both = [key[0] for key in seen["test"] if key in seen["valid"]]
    if both:
        found.append(
            f"{len(both):,} test rows are validation rows too, of users {examples(dict.fromkeys(both))}"
        )
    return found


def _row_key(rows: EvaluationRows, index: int) -> tuple[str, bytes, int]:
    return rows.users[index], rows.histories.row(index).tobytes(), int(rows.targets[index])
