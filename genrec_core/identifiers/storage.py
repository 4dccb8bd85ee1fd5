"""Identifiers on disk: one safetensors file for codes and fitted arrays, its JSON for the rest.

Identifiers of users, where there are any, stand beside it in `users.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from numpy.typing import NDArray

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.store.content import load_arrays, save_arrays

_FILE = "identifiers.safetensors"
_USERS = "users.json"
_STATE = "state."


def save_identifiers(identifiers: Identifiers, folder: Path) -> None:
    """Write identifiers into a folder."""
    arrays: dict[str, NDArray[Any]] = {"codes": identifiers.codes, "offsets": identifiers.offsets}
    arrays |= {_STATE + name: array for name, array in identifiers.state.items()}
    head = {
        "vocabulary": list(identifiers.vocabulary),
        "new_tokens": list(identifiers.new_tokens),
        "separator": identifiers.separator,
        "settings": dict(identifiers.settings),
        "version": identifiers.version,
        "merged": identifiers.merged,
    }
    save_arrays(folder / _FILE, arrays, head)
    if identifiers.users:  # apart: the head of a safetensors file is small
        (folder / _USERS).write_bytes(orjson.dumps(identifiers.users))


def load_identifiers(folder: Path) -> Identifiers:
    """Read back what `save_identifiers` wrote.

    Raises:
        DataError: the file is missing or damaged.
    """
    arrays, head = load_arrays(folder / _FILE)
    state = {name.removeprefix(_STATE): array for name, array in arrays.items() if name.startswith(_STATE)}
    users = orjson.loads((folder / _USERS).read_bytes()) if (folder / _USERS).exists() else {}
    return Identifiers(
        vocabulary=tuple(head["vocabulary"]),
        codes=arrays["codes"],
        offsets=arrays["offsets"],
        new_tokens=tuple(head["new_tokens"]),
        separator=head["separator"],
        state=state,
        settings=head["settings"],
        version=head["version"],
        merged=head["merged"],
        users={user: tuple(tokens) for user, tokens in users.items()},
    )
