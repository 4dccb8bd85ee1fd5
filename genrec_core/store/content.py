"""Content: the same content gives the same bytes and the same hash, everywhere; as JSON, as files, as arrays.

>>> canonical({"b": 1, "a": [True, None]})
b'{"a":[true,null],"b":1}'

Named NumPy arrays and a JSON value are one safetensors file. Never pickle: a file that somebody sends you
cannot run code. The JSON value sits under one metadata key, because safetensors does not keep the order of
several, and equal content must give equal bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.options import regular_file

_KEY = "json"
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


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Any = None) -> None:
    """Write arrays (numbers or booleans, any shape) and any JSON value to `path`."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(plain, str(path), metadata={_KEY: canonical(metadata).decode()})


def load_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], Any]:
    """The arrays and the JSON value that `save_arrays` wrote.

    Raises:
        DataError: the file is missing, cut short or of another format, or its numbers are of a type that
            NumPy does not have.
    """
    try:
        with safe_open(str(regular_file(path)), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
        value = orjson.loads(metadata.get(_KEY, "null"))
    except (SafetensorError, OSError, AttributeError, TypeError, ValueError, KeyError) as error:
        # AttributeError, TypeError: a type of number that NumPy does not have, such as float8
        raise DataError(
            f"`{path.name}` is no readable safetensors file: {error}",
            where=str(path),
            hint="delete the file and run the pipeline again",
        ) from error
    return arrays, value
