"""Explicit rows: `valid.jsonl[.gz]` and `test.jsonl[.gz]`, each line a history and the item that followed.

{"user_id": "u1", "history": ["a", "b"], "target": "c"}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from genrec_core.contracts.dataset import Rows, Sequences
from genrec_core.data.events import note_unknown_item
from genrec_core.data.lines import records
from genrec_core.data.problems import Problems
from genrec_core.data.sequence_file import item_row
from genrec_core.data.values import StrictValues, UnusableValueError


def read_rows(path: Path, catalogue: Mapping[str, int] | None, problems: Problems) -> Rows:
    """All sound rows in file order; a user may have several."""
    users: list[str] = []
    histories: list[list[int]] = []
    targets: list[int] = []
    values = StrictValues()
    for line, record in records(path, problems):
        history = item_row(record.get("history"), "history", catalogue, (path, line), problems)
        cells = []
        for column in ("user_id", "target"):
            try:
                cells.append(values.identity(record.get(column), column))
            except UnusableValueError as error:
                problems.add(error.what, record.get(column), path, line, error.hint)
        if len(cells) < 2:
            continue
        user, target = cells
        if catalogue is not None and target not in catalogue:
            note_unknown_item(target, path, line, problems)
        elif history is not None:
            users.append(user)
            histories.append(history)
            targets.append(catalogue[target] if catalogue is not None else 0)
    return Rows(tuple(users), Sequences.of(histories), np.array(targets, dtype=np.int32))
