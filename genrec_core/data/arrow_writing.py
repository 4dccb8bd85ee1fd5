"""Tables out: columns as the Arrow C data interface hands them to pandas, polars, pyarrow or DuckDB.

    class Table:
        def __arrow_c_stream__(self, requested_schema=None):
            return frame_stream({"item": ["a1", "b2"], "score": [0.9, 0.4]})

A structure that is handed out is freed by whoever took it, through its `release`; what it points at is kept
in `_KEPT` until then. A child may be taken out of its parent and be freed later, so each keeps its own.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.data.arrow import (
    STREAM,
    ArrowArray,
    ArrowSchema,
    ArrowStream,
    GetNext,
    GetSchema,
    LastError,
    Release,
    released,
)

_NULLABLE = 2
_Pointer = ctypes.POINTER
_api = ctypes.pythonapi
_pointer_of_dying = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(
    ("PyCapsule_New", _api)
)

_KEPT: dict[int, tuple[Any, ...]] = {}
"""What structures that were handed out point at, by their `private_data`."""
_numbered = itertools.count(1)


def _keep(one: ctypes.Structure, release: Any, *objects: Any) -> None:
    """Let a structure own objects until it is released."""
    key = next(_numbered)
    _KEPT[key] = objects
    one.release, one.private_data = ctypes.cast(release, ctypes.c_void_p).value, key


def _freeing(kind: Any) -> Any:
    """A `release` function for a structure with children: those not yet moved elsewhere go with it."""

    def release(address: int) -> None:
        one = kind.from_address(address)
        for place in range(getattr(one, "n_children", 0)):
            released(one.children[place].contents)
        key, one.release = one.private_data, None
        _KEPT.pop(key, None)

    return Release(release)


_release_schema, _release_array = _freeing(ArrowSchema), _freeing(ArrowArray)
_release_stream = _freeing(ArrowStream)


def _capsule_dies(capsule: int) -> None:
    address = _pointer_of_dying(capsule, STREAM)
    stream = ArrowStream.from_address(address)
    if stream.release:
        Release(stream.release)(address)
    _KEPT.pop(-address, None)


_dying = _Destructor(_capsule_dies)


def frame_stream(columns: Mapping[str, Sequence[Any]]) -> Any:
    """A capsule that gives these columns as one record batch; see `Table.__arrow_c_stream__`.

    Texts become large_string, whole numbers int64, others float64, truths bool; None is a gap.
    """
    encoded = {name: _encoded(values) for name, values in columns.items()}
    length = len(next(iter(columns.values()), ()))
    given = [False]

    def get_schema(_: int, out: Any) -> int:
        fields = [_schema(form, name) for name, (form, _) in encoded.items()]
        _fill_schema(out.contents, b"+s", b"", fields)
        return 0

    def get_next(_: int, out: Any) -> int:
        if given[0]:
            out.contents.release = None
            return 0
        given[0] = True
        children = [_array(length, buffers) for _, buffers in encoded.values()]
        _fill_array(out.contents, length, [None], children)
        return 0

    functions = (GetSchema(get_schema), GetNext(get_next), LastError(lambda _: None))
    stream = ArrowStream()
    for name, function in zip(("get_schema", "get_next", "get_last_error"), functions, strict=True):
        setattr(stream, name, ctypes.cast(function, ctypes.c_void_p).value)
    _keep(stream, _release_stream, functions)
    address = ctypes.addressof(stream)
    _KEPT[-address] = (stream,)
    return _new_capsule(address, STREAM, _dying)


def _encoded(values: Sequence[Any]) -> tuple[bytes, list[NDArray[Any] | None]]:
    """The Arrow format of a column and its buffers, the first of them its validity."""
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    there = np.asarray([value is not None for value in listed], dtype=bool)
    validity = None if there.all() else np.packbits(there, bitorder="little")
    kinds = {type(value) for value in listed if value is not None}
    if kinds == {bool}:
        bits = np.packbits(np.asarray([bool(value) for value in listed]), bitorder="little")
        return b"b", [validity, bits]
    if kinds and kinds <= {int, float}:
        dtype = (
            np.int64 if kinds == {int} and all(abs(value or 0) < 2**63 for value in listed) else np.float64
        )
        numbers = np.asarray([0 if value is None else value for value in listed], dtype=dtype)
        return b"l" if dtype is np.int64 else b"g", [validity, numbers]
    texts = ["" if value is None else str(value) for value in listed]
    raw = [text.encode("utf-8", "replace") for text in texts]
    ends = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    return b"U", [validity, ends, np.frombuffer(b"".join(raw), dtype=np.uint8)]


def _schema(form: bytes, name: str) -> ArrowSchema:
    one = ArrowSchema()
    _fill_schema(one, form, name.encode("utf-8", "replace"), [])
    return one


def _fill_schema(one: ArrowSchema, form: bytes, name: bytes, children: list[ArrowSchema]) -> None:
    pointers = (_Pointer(ArrowSchema) * len(children))(*map(ctypes.pointer, children))
    one.format, one.name, one.metadata, one.flags = form, name, None, _NULLABLE
    one.n_children, one.children, one.dictionary = len(children), pointers, None
    _keep(one, _release_schema, form, name, children, pointers)


def _array(length: int, buffers: list[NDArray[Any] | None]) -> ArrowArray:
    one = ArrowArray()
    _fill_array(one, length, buffers, [])
    return one


def _fill_array(
    one: ArrowArray, length: int, buffers: list[NDArray[Any] | None], children: list[ArrowArray]
) -> None:
    addresses = [None if buffer is None else buffer.ctypes.data for buffer in buffers]
    held = (ctypes.c_void_p * len(buffers))(*addresses)
    pointers = (_Pointer(ArrowArray) * len(children))(*map(ctypes.pointer, children))
    one.length, one.null_count, one.offset = length, -1 if buffers[0] is not None else 0, 0
    one.n_buffers, one.n_children = len(buffers), len(children)
    one.buffers, one.children, one.dictionary = held, pointers, None
    _keep(one, _release_array, buffers, held, children, pointers)
