"""The data folder: the files a data set is made of, read into a `Dataset`.

    items.jsonl            item_id and any text fields
    sequences.jsonl        user_id, item_ids in time order          } one of
    interactions.jsonl     user_id, item_id, timestamp (or .csv, .parquet) } the two
    users.jsonl            user_id and any attributes (optional)
    valid.jsonl test.jsonl user_id, history, target (optional)

Every text file may be gzipped. Other files are left alone. Nothing is dropped in silence: a defect is an
error with its place, and what an option allows is counted in the notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genrec_core.contracts.dataset import Dataset, EvaluationRows
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.events import Columns, EventReader
from genrec_core.data.item_file import NO_TEXT_HINT, read_items, read_users
from genrec_core.data.lines import state
from genrec_core.data.ordering import DuplicatePolicy, count_ties, resolve_duplicates, sequences_of
from genrec_core.data.row_file import read_rows
from genrec_core.data.sequence_file import UserSequences, read_sequences
from genrec_core.data.values import MissingWords

_JSONL = (".jsonl", ".jsonl.gz")
_ENDINGS = {
    "items": _JSONL,
    "sequences": _JSONL,
    "interactions": (*_JSONL, ".csv", ".csv.gz", ".parquet"),
    "users": _JSONL,
    "valid": _JSONL,
    "test": _JSONL,
}


@dataclass(frozen=True)
class Reading:
    """How a folder is read; the options of `core/folder` say what each means."""

    tie_key: str = ""
    duplicates: DuplicatePolicy = "refuse"
    allow_empty_text: bool = False
    domain_field: str = ""
    missing_words: MissingWords = "refuse"


def data_files(folder: Path) -> dict[str, Path]:
    """The files of a data folder by role (`items`, `sequences`, …).

    Raises:
        DataError: no such folder, a needed file is absent, or two files have the same role.
    """
    if (there := state(folder)) != "folder":
        what = {"absent": "does not exist", "file": "is a file, not a data folder"}.get(
            there, f"is no folder ({there})"
        )
        hint = (
            "name the folder that holds items.jsonl, one object a line with item_id and texts, and either "
            "sequences.jsonl (user_id, item_ids) or interactions.csv, .jsonl or .parquet (user_id, item_id, "
            "timestamp)"
        )
        raise DataError(f"data folder `{folder.name}` {what}", where=str(folder), hint=hint)
    files = {}
    for role, endings in _ENDINGS.items():
        present = [
            folder / (role + ending) for ending in endings if state(folder / (role + ending)) != "absent"
        ]
        if len(present) > 1:
            listed = " and ".join(f"`{path.name}`" for path in present)
            raise DataError(f"folder has {listed}", where=str(folder), hint="keep one of them")
        if present and state(present[0]) != "file":
            what = f"`{present[0].name}` is no regular file ({state(present[0])})"
            raise DataError(what, where=str(folder), hint="a data file is read as a whole: copy it there")
        if present:
            files[role] = present[0]
    _check_roles(folder, files)
    return files


def _check_roles(folder: Path, files: dict[str, Path]) -> None:
    if "items" not in files:
        hint = (
            "write one line an item, at least item_id and a title; `genrec data import` makes it from a table"
        )
        raise DataError("folder has no `items.jsonl`", where=str(folder), hint=hint)
    if "sequences" in files and "interactions" in files:
        listed = f"`{files['sequences'].name}` and `{files['interactions'].name}`"
        raise DataError(f"folder has both {listed}", where=str(folder), hint="keep the one that is meant")
    if "sequences" not in files and "interactions" not in files:
        raise DataError(
            "folder has neither `sequences.jsonl` nor `interactions.jsonl`",
            where=str(folder),
            hint="add one of them (interactions may also be .csv or .parquet)",
        )


def load_folder(folder: Path, reading: Reading | None = None) -> Dataset:
    """The data set of a folder.

    Raises:
        DataError: with the first kind of defect, its places and values.
    """
    dataset, defects = examine_folder(folder, reading or Reading())
    defects.refuse()
    return dataset


def examine_folder(folder: Path, reading: Reading) -> tuple[Dataset, Defects]:
    """Everything sound in a folder, and everything that is not; the dataset is whole if nothing was found.

    Raises:
        DataError: files are absent or ambiguous, so that there is nothing to read.
    """
    files, defects = data_files(folder), Defects()
    notes: list[str] = []
    items = _items(files["items"], reading, defects, notes)
    # A broken catalogue would make every item look unknown: then only the form of the rows is checked.
    catalogue = None if defects else {item_id: index for index, item_id in enumerate(items.ids)}
    found = _interactions(files, catalogue, reading, defects, notes)
    attributes = read_users(files["users"], defects, reading.missing_words) if "users" in files else {}
    valid, test = (_rows(files.get(role), catalogue, defects) for role in ("valid", "test"))
    known = set(found.users).union(*(rows.users for rows in (valid, test) if rows is not None))
    idle = sum(user not in known for user in attributes)
    if idle:
        notes.append(f"{idle:,} users of `{files['users'].name}` have no interaction")
    domains = () if defects else _domains(items, found, reading.domain_field, files["items"])
    notes.extend(f"{count:,} {what}" for what, count in defects.decisions.items())
    dataset = Dataset(
        items, found.users, found.sequences, found.times, domains, attributes, valid, test, None, tuple(notes)
    )
    return dataset, defects


def _items(path: Path, reading: Reading, defects: Defects, notes: list[str]) -> Items:
    items, without_text = read_items(path, defects, reading.missing_words)
    if without_text and reading.allow_empty_text:
        notes.append(f"{len(without_text):,} items have no text in any field")
    elif without_text:
        for line in without_text:
            defects.add("item has no text in any field", None, path, line, NO_TEXT_HINT)
    return items


def _interactions(
    files: dict[str, Path],
    catalogue: dict[str, int] | None,
    reading: Reading,
    defects: Defects,
    notes: list[str],
) -> UserSequences:
    if "sequences" in files:
        if reading.tie_key:
            raise DataError(
                f"`tie_key: {reading.tie_key}` needs interactions, but the folder has sequences",
                where=str(files["sequences"]),
                hint="sequences are in order already; leave `tie_key` out",
            )
        return read_sequences(files["sequences"], catalogue, defects)
    path = files["interactions"]
    events = EventReader(Columns(tie=reading.tie_key), catalogue).read(path, defects)
    events, duplicate_notes = resolve_duplicates(events, reading.duplicates, path, defects)
    notes.extend(duplicate_notes)
    ties = count_ties(events.user, events.time)
    if ties:
        by = f"`{reading.tie_key}`" if reading.tie_key else "their order in the file"
        notes.append(f"{ties:,} interactions share user and time with another one and were ordered by {by}")
    sequences, times, _ = sequences_of(events, len(events.users))
    return UserSequences(events.users, sequences, times)


def _rows(path: Path | None, catalogue: dict[str, int] | None, defects: Defects) -> EvaluationRows | None:
    return None if path is None else read_rows(path, catalogue, defects)


def _domains(items: Items, found: UserSequences, field: str, path: Path) -> tuple[str, ...]:
    if not field:
        return ()
    if field not in items.fields:
        hint = f"fields are: {', '.join(items.fields)}"
        raise DataError(f"items have no field `{field}` to tell domains apart", where=str(path), hint=hint)
    labels = items.fields[field]
    used = np.unique(found.sequences.values)
    wrong = [items.ids[i] for i in used if not (isinstance(labels[i], str) and labels[i].strip())]
    if wrong:
        raise DataError(
            f"{len(wrong):,} items that users chose have no `{field}`, such as `{wrong[0]}`",
            where=str(path),
            hint="give each of them one domain, as a string",
        )
    return tuple(labels[i] for i in found.sequences.values.tolist())
