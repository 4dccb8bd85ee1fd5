"""Writing a data folder: the other half of `data.folder`, used by imports and to show what made data is."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.data.lines import state, write_json, write_records

_KILLED = 24 * 3600.0
"""Seconds after which a half-written import belongs to no process that is still at it."""


def refuse_existing(out: Path) -> None:
    """Do nothing if `out` can become a new folder.

    Raises:
        DataError: there is something already.
    """
    if state(out) != "absent":
        hint = "choose a new folder, or remove that one first"
        raise DataError(f"`{out.name}` exists already", where=str(out), hint=hint)


def write_folder(dataset: Dataset, out: Path, report: Any = None) -> None:
    """Write items, sequences (with timestamps where known) and users' attributes to the new folder `out`.

    The folder appears only when it is whole; `report`, if any, is kept beside the data as `import.json`.

    Raises:
        DataError: `out` exists, its parent cannot be made, a field is called `item_id`, or an attribute of
            users `user_id`.
    """
    refuse_existing(out)
    if "item_id" in dataset.items.fields:
        hint = "give the field another name"
        raise DataError("a field called `item_id` would take the place of the ids", hint=hint)
    taken = sum("user_id" in fields for fields in dataset.attributes.values())
    if taken:
        what = f"an attribute called `user_id` would take the place of the ids ({taken:,} users)"
        raise DataError(what, hint="give the attribute another name")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"`{out.name}` cannot be made: {reason}", where=str(out)) from error
    for left in out.parent.glob(".import-*"):
        if time.time() - left.stat().st_mtime > _KILLED:
            shutil.rmtree(left, ignore_errors=True)
    building = Path(tempfile.mkdtemp(prefix=".import-", dir=out.parent))
    try:
        write_records(building / "items.jsonl.gz", _item_lines(dataset.items))
        write_records(building / "sequences.jsonl.gz", _sequence_lines(dataset))
        if dataset.attributes:
            people = ({"user_id": user} | fields for user, fields in dataset.attributes.items())
            write_records(building / "users.jsonl.gz", people)
        if report is not None:
            write_json(building / "import.json", report)
        building.chmod(0o755)  # mkdtemp makes it private
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _item_lines(items: Items) -> Iterator[dict[str, Any]]:
    for index, item_id in enumerate(items.ids):
        values = {name: column[index] for name, column in items.fields.items()}
        yield {"item_id": item_id} | {name: value for name, value in values.items() if value is not None}


def _sequence_lines(dataset: Dataset) -> Iterator[dict[str, Any]]:
    for row, user in enumerate(dataset.users):
        line: dict[str, Any] = {
            "user_id": user,
            "item_ids": [dataset.items.ids[item] for item in dataset.sequences.row(row)],
        }
        if dataset.times is not None:
            start, end = dataset.sequences.offsets[row], dataset.sequences.offsets[row + 1]
            line["timestamps"] = [_short(time) for time in dataset.times[start:end].tolist()]
        yield line


def _short(time: float) -> int | float:
    return int(time) if time.is_integer() else time
