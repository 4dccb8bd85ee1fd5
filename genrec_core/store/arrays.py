"""Arrays on disk: named NumPy arrays and a JSON value in one safetensors file.

Never pickle: a file that somebody sends you cannot run code. The JSON value sits under one metadata key,
because safetensors does not keep the order of several, and equal content must give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from genrec_core.contracts.errors import DataError
from genrec_core.store.canonical import canonical

_KEY = "json"


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Any = None) -> None:
    """Write arrays (numbers or booleans, any shape) and any JSON value to `path`."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(plain, str(path), metadata={_KEY: canonical(metadata).decode()})


def load_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], Any]:
    """The arrays and the JSON value that `save_arrays` wrote.

    Raises:
        DataError: the file is missing, cut short or of another format.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"`{path.name}` is no readable safetensors file: {error}",
            where=str(path),
            hint="delete the file and run the pipeline again",
        ) from error
    return arrays, orjson.loads(metadata.get(_KEY, "null"))
