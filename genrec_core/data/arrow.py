"""Data frames in: the Arrow C data interface, read without any data frame library.

pandas, polars, pyarrow and DuckDB hand tables to each other as a capsule: a pointer to a C structure that
gives one record batch after another. This module reads that structure with ctypes, so none of those libraries
has to be there, and whichever is there works. `arrow_writing` is the other direction.

    columns = read_frame(frame)      # of anything with `__arrow_c_stream__`

Structures: <https://arrow.apache.org/docs/format/CDataInterface.html>. Whoever takes one frees it through its
`release`; values are copied before that.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import DataError

Column = NDArray[Any] | list[Any]
"""Values of one column: an array of numbers or times, or a list of texts, lists, numbers and None."""


class ArrowSchema(ctypes.Structure):
    """The type of a column, or of a whole table."""


class ArrowArray(ctypes.Structure):
    """The values of a column in one record batch, or the batch."""


class ArrowStream(ctypes.Structure):
    """Gives a schema, then record batches."""


_Pointer = ctypes.POINTER
Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64),
    ("children", _Pointer(_Pointer(ArrowSchema))), ("dictionary", _Pointer(ArrowSchema)),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip
ArrowArray._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", _Pointer(ctypes.c_void_p)),
    ("children", _Pointer(_Pointer(ArrowArray))), ("dictionary", _Pointer(ArrowArray)),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip
GetSchema = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _Pointer(ArrowSchema))
GetNext = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _Pointer(ArrowArray))
LastError = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
ArrowStream._fields_ = [
    ("get_schema", ctypes.c_void_p), ("get_next", ctypes.c_void_p), ("get_last_error", ctypes.c_void_p),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip

STREAM = b"arrow_array_stream"
_api = ctypes.pythonapi
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)


def is_frame(value: Any) -> bool:
    """Whether something is a data frame of a library that speaks Arrow."""
    return hasattr(value, "__arrow_c_stream__")


_NUMBERS = {
    "c": np.int8, "C": np.uint8, "s": np.int16, "S": np.uint16, "i": np.int32, "I": np.uint32,
    "l": np.int64, "L": np.uint64, "e": np.float16, "f": np.float32, "g": np.float64,
}  # fmt: skip
_UNITS = {"tss": "s", "tsm": "ms", "tsu": "us", "tsn": "ns"}
_INLINE = 12
"""Bytes of a text that stand in its view."""


def read_frame(frame: Any) -> dict[str, Column]:
    """The columns of a data frame, by name.

    Numbers without gaps are arrays of their type, times `datetime64` arrays in UTC (`NaT` where there is
    none); everything else is a list with None for gaps.

    Raises:
        DataError: a column has a type that holds neither texts, numbers nor times, or two have one name.
    """
    parts = list(_batches(frame))
    names = [name for name, _ in parts[0]]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"two columns of the table are called `{twice}`", hint="rename one of them")
    columns: dict[str, Column] = {}
    for place, name in enumerate(names):
        pieces = [part[place][1] for part in parts]
        if all(isinstance(piece, np.ndarray) for piece in pieces):
            columns[name] = np.concatenate(pieces)
        else:
            columns[name] = list(itertools.chain.from_iterable(map(_listed, pieces)))
    return columns


def _listed(piece: Column) -> list[Any]:
    return piece.tolist() if isinstance(piece, np.ndarray) else piece


def _batches(frame: Any) -> Iterator[list[tuple[str, Column]]]:
    """(name, values) of each column, batch by batch; an empty batch first, for the types."""
    capsule = frame.__arrow_c_stream__()
    stream = ArrowStream.from_address(_capsule_pointer(capsule, STREAM))
    schema, array = ArrowSchema(), ArrowArray()
    _ask(stream, GetSchema(stream.get_schema), schema)
    try:
        if schema.format != b"+s":
            raise DataError("this is a column, not a table of named columns", hint="give a data frame")
        fields = [schema.children[place].contents for place in range(schema.n_children)]
        names = [(field.name or b"").decode() for field in fields]
        yield [(name, _empty(field, f"column `{name}`")) for name, field in zip(names, fields, strict=True)]
        while True:
            _ask(stream, GetNext(stream.get_next), array)
            if not array.release:
                return
            try:
                yield [
                    (name, _values(field, array.children[place].contents, array.offset, array.length, name))
                    for place, (name, field) in enumerate(zip(names, fields, strict=True))
                ]
            finally:
                released(array)
    finally:
        released(schema)


def _ask(stream: ArrowStream, function: Callable[..., int], out: ctypes.Structure) -> None:
    code = function(ctypes.addressof(stream), ctypes.byref(out))
    if code:
        said = LastError(stream.get_last_error)(ctypes.addressof(stream)) if stream.get_last_error else None
        reason = ctypes.string_at(said).decode(errors="replace") if said else f"error {code}"
        raise DataError(f"the data frame cannot be read: {reason}")


def released(one: ArrowSchema | ArrowArray) -> None:
    """Free a structure that was taken."""
    if one.release:
        Release(one.release)(ctypes.addressof(one))


def _empty(field: ArrowSchema, where: str) -> Column:
    form = field.format.decode()
    if form in _NUMBERS:
        return np.zeros(0, dtype=_NUMBERS[form])
    return np.zeros(0, dtype="datetime64[us]") if form.startswith(("ts", "td")) else []


def _values(field: ArrowSchema, array: ArrowArray, offset: int, length: int, name: str) -> Column:
    """The values of one column between `offset` and `offset + length`, beyond the array's own offset."""
    form, first = field.format.decode(), array.offset + offset
    if form == "n":
        return [None] * length
    valid = _bits(array, 0, first, length)
    if field.dictionary:
        codes = _numbers(_NUMBERS[form], array, first, length)
        inner = array.dictionary.contents
        words = _listed(_values(field.dictionary.contents, inner, 0, inner.length, name))
        return _with_gaps([words[code] if words else None for code in codes.tolist()], valid)
    if form in _NUMBERS:
        found = _numbers(_NUMBERS[form], array, first, length)
        return found if valid is None else _with_gaps(found.tolist(), valid)
    if form == "b":
        bits = _bits(array, 1, first, length)
        return _with_gaps([] if bits is None else bits.tolist(), valid)
    if form[:3] in _UNITS or form in ("tdD", "tdm"):
        return _times(form, array, first, length, valid)
    if form in ("u", "U"):
        return _with_gaps(_texts(np.int32 if form == "u" else np.int64, array, first, length), valid)
    if form == "vu":
        return _with_gaps(_viewed_texts(array, first, length, valid), valid)
    if form in ("+l", "+L") or form.startswith("+w:"):
        return _with_gaps(_lists(form, field, array, first, length, name), valid)
    raise DataError(
        f"column `{name}` has the Arrow type `{form}`, which holds neither texts, numbers nor times",
        hint="cast it, or leave it out",
    )


def _buffer(array: ArrowArray, place: int, dtype: Any, first: int, count: int) -> NDArray[Any]:
    """A copy of `count` values of a buffer from `first` on."""
    size, address = np.dtype(dtype).itemsize, array.buffers[place]
    if not count or not address:
        return np.zeros(count, dtype=dtype)
    raw = ctypes.string_at(address + first * size, count * size)
    return np.frombuffer(raw, dtype=dtype)


def _numbers(dtype: Any, array: ArrowArray, first: int, length: int) -> NDArray[Any]:
    return _buffer(array, 1, dtype, first, length)


def _bits(array: ArrowArray, place: int, first: int, length: int) -> NDArray[np.bool_] | None:
    """A bitmap as bool [length]; None where there is none, which for validity means that all are valid."""
    if not array.buffers[place] or not length:
        return None
    begin = first // 8
    raw = _buffer(array, place, np.uint8, begin, (first + length + 7) // 8 - begin)
    return np.unpackbits(raw, bitorder="little")[first - 8 * begin :][:length].astype(bool)


def _with_gaps(values: list[Any], valid: NDArray[np.bool_] | None) -> list[Any]:
    if valid is None:
        return values
    return [value if there else None for value, there in zip(values, valid.tolist(), strict=True)]


def _times(
    form: str, array: ArrowArray, first: int, length: int, valid: NDArray[np.bool_] | None
) -> NDArray[Any]:
    if form == "tdD":
        found = _numbers(np.int32, array, first, length).astype("datetime64[D]")
    else:
        found = _numbers(np.int64, array, first, length).astype(f"datetime64[{_UNITS.get(form[:3], 'ms')}]")
    times = found.astype("datetime64[us]")
    if valid is not None:
        times[~valid] = np.datetime64("NaT")
    return times


def _texts(dtype: Any, array: ArrowArray, first: int, length: int) -> list[str]:
    if not length:
        return []
    ends = _buffer(array, 1, dtype, first, length + 1).tolist()
    raw = _buffer(array, 2, np.uint8, ends[0], ends[-1] - ends[0]).tobytes()
    return [
        raw[begin - ends[0] : end - ends[0]].decode(errors="surrogateescape")
        for begin, end in itertools.pairwise(ends)
    ]


def _viewed_texts(
    array: ArrowArray, first: int, length: int, valid: NDArray[np.bool_] | None
) -> list[str | None]:
    """Texts as polars keeps them: short ones in the view, long ones somewhere in one of many buffers."""
    views = _buffer(array, 1, np.dtype("V16"), first, length)
    table = views.view(np.int32).reshape(length, 4).tolist()
    addresses = [array.buffers[place] for place in range(2, array.n_buffers - 1)]
    there = [True] * length if valid is None else valid.tolist()
    texts: list[str | None] = []
    for view, row, known in zip(views, table, there, strict=True):
        size, _, place, begin = row
        if not known:
            texts.append(None)
        elif size <= _INLINE:
            texts.append(view.tobytes()[4 : 4 + size].decode(errors="surrogateescape"))
        else:
            raw = ctypes.string_at(addresses[place] + begin, size)
            texts.append(raw.decode(errors="surrogateescape"))
    return texts


def _lists(
    form: str, field: ArrowSchema, array: ArrowArray, first: int, length: int, name: str
) -> list[list[Any]]:
    if form.startswith("+w:"):
        width = int(form[3:])
        ends = [(first + row) * width for row in range(length + 1)]
    else:
        dtype = np.int32 if form == "+l" else np.int64
        ends = _buffer(array, 1, dtype, first, length + 1).tolist() if length else [0]
    child, inner = field.children[0].contents, array.children[0].contents
    every = _listed(_values(child, inner, ends[0], ends[-1] - ends[0], name))
    return [every[begin - ends[0] : end - ends[0]] for begin, end in itertools.pairwise(ends)]
