"""Canonical JSON and digests: the same content gives the same bytes and the same hash, everywhere.

>>> canonical({"b": 1, "a": [True, None]})
b'{"a":[true,null],"b":1}'
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.errors import GenrecError

_BLOCK = 1 << 20


def canonical(value: Any) -> bytes:
    """A JSON value with sorted keys and no spaces.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot hold.
        TypeError: something is no JSON value.
    """
    _refuse_nan(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def fingerprint(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, or of every file in a folder with its place in it.

    Raises:
        GenrecError: there is nothing at `path`.
    """
    if path.is_dir():
        inside = sorted(entry for entry in path.rglob("*") if entry.is_file())
        return fingerprint({str(entry.relative_to(path)): _file_digest(entry) for entry in inside})
    if not path.is_file():
        raise GenrecError(f"there is no file or folder `{path}`", hint="check the path in the pipeline file")
    return _file_digest(path)


def _file_digest(path: Path) -> str:
    body = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            body.update(block)
    return body.hexdigest()


def _refuse_nan(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"`{value}` has no place in JSON")
    if isinstance(value, Mapping):
        for entry in value.values():
            _refuse_nan(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            _refuse_nan(entry)
