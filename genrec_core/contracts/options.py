"""Options: the strict, frozen block of settings beside a component's `use:`.

Unknown keys are refused, values are not coerced (`"3"` is not 3), and the object cannot change after it
was checked, so that its canonical JSON can stand in a stage's fingerprint. Numbers far outside of what any
option can mean are refused everywhere, so that they do not surface as an overflow hours later.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from genrec_core.contracts.errors import GenrecError

LARGEST = 1e15
SMALLEST = 1e-30
"""Sizes between which every number of an option lies that is not 0; most options have narrower bounds."""


class Options(BaseModel):
    """Base of every component's options.

    Write one field an option, with a type, a default where there is a sensible one, and a
    ``Field(description=...)`` or a docstring below the field: `genrec show` prints it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, arbitrary_types_allowed=True
    )

    @field_validator("*", mode="after")
    @classmethod
    def _plausible(cls, value: Any) -> Any:
        for number in _numbers(value):
            if number != 0 and not SMALLEST <= abs(number) <= LARGEST:
                wanted = f"0, or between {SMALLEST:g} and {LARGEST:g} in size"
                raise ValueError(f"a number must be {wanted}, not `{number}`")
        return value


def operational(default: Any, description: str = "", **checks: Any) -> Any:
    """A field that changes speed or memory but never the result: it stays out of fingerprints.

    Args:
        default: its value where a pipeline says none.
        description: what `genrec show` prints.
        checks: bounds, as of pydantic's `Field`: `ge=1`.
    """
    return Field(default, description=description, json_schema_extra={"operational": True}, **checks)


def expanded(path: str | Path, *, known: bool = True) -> Path:
    """A path with `~` and `~name` at its beginning replaced by a home folder.

    Args:
        path: as somebody wrote it.
        known: refuse the home of somebody whom this machine does not know; otherwise such a path stays as it
            is, for what is said when nothing is there.

    Raises:
        GenrecError: the machine knows no such home.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError) as error:  # ValueError: no name of a user, such as one with a null
        if not known:
            return Path(path)
        raise GenrecError(
            f"`{path}` begins with a home folder that this machine does not know", hint="write the path out"
        ) from error


def recordable(path: Path, hint: str) -> Path:
    """A path that a plan or a manifest can say: they hold UTF-8, and the name of a file may be any bytes.

    Args:
        path: absolute, so that the folder somebody works in is looked at too.
        hint: what to do about one that cannot be said.

    Raises:
        GenrecError: its name is not UTF-8.
    """
    if has_half_characters(str(path)):
        raise GenrecError(f"the name of `{path}` is not UTF-8, so no plan can say it", hint=hint)
    return path


def has_half_characters(text: str) -> bool:
    """Whether a text holds surrogates, as those of bytes that are not UTF-8 do; no JSON can be made of it."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def regular_file(path: Path) -> Path:
    """A path that may be opened: a pipe would keep whoever reads it waiting, and a device may never end.

    Raises:
        OSError: it leads to a pipe or a device, or to nothing.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # that a folder is none is said when it is opened
        raise OSError(errno.EINVAL, "this is a pipe or a device, not a file", str(path))
    return path


def _numbers(value: Any) -> Iterator[int | float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _numbers(entry)
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _numbers(entry)
