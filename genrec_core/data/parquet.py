"""Parquet files as somebody else wrote them: bounded before and while they are unpacked.

A column of one value takes no more room for a thousand million rows than for one, and zstd makes 600 MB of
one letter into 20 kB. So three things are compared with the size of the file: the rows that it claims, the
bytes that its column chunks claim, and the texts of each batch, which stay dictionaries until counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.options import regular_file
from genrec_core.data.lines import LONGEST_LINE, UNPACKED_RATIO, is_trap

ROWS_FREE, ROWS_A_BYTE = 1_000_000, 100
"""Below so many rows nobody asks; above them a Parquet file of more than this many a byte is a trap."""
UNREADABLE = (ValueError, OverflowError, LookupError, TypeError, NotImplementedError, MemoryError)
"""What pyarrow raises besides OSError, and Python where it has no value for what stands there: a day after
the year 9999, a time zone that nobody knows."""
_WIDEST_NUMBER = 8


class DuplicateNameError(Exception):
    """A map of a Parquet file holds this name twice."""


_TRAP_HINT = "if it is what it should be, write it as CSV or JSON lines"


def parquet_file(path: Path) -> Any:
    """An opened Parquet file; read its columns with `parquet_batches`.

    Raises:
        DataError: it claims more rows than honest data of its size could hold.
        GenrecError: pyarrow is not installed.
    """
    return _opened(path, ())


def parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Record batches of distinct columns, in the order that they are named.

    Raises:
        DataError: the file claims or unpacks to more than honest data of its size could hold, or a text is
            longer than a line may be.
        GenrecError: pyarrow is not installed.
        OSError, UNREADABLE: the file is damaged, or pyarrow cannot read it.
    """
    found = parquet_file(path)
    import pyarrow as pa

    try:
        yield from _batches(path, found, columns)
    except pa.ArrowException as error:  # some are of no class that Python has
        raise ValueError(why_unreadable(error)) from error


def _batches(path: Path, found: Any, columns: Sequence[str]) -> Iterator[Any]:
    size, texts = path.stat().st_size, []
    for place in range(found.metadata.num_columns):
        leaf = found.metadata.schema.column(place)
        if leaf.path.partition(".")[0] in columns or leaf.path in columns:
            texts += [leaf.path] * (leaf.physical_type == "BYTE_ARRAY")
            _refuse_trap(path, leaf.path, _claimed(found.metadata, place), size)
    kinds, unpacked = [found.schema_arrow.field(name).type for name in columns], dict.fromkeys(columns, 0)
    for batch in _opened(path, texts).iter_batches(columns=list(columns)):
        arrays = [batch.column(name) for name in columns]
        for name, array in zip(columns, arrays, strict=True):
            for total, longest in _texts(array):
                unpacked[name] += total
                if longest > LONGEST_LINE:
                    raise DataError(
                        f"a cell of column `{name}` is {longest:,} bytes long, {LONGEST_LINE:,} are allowed",
                        where=str(path),
                        hint="is this a table of rows? leave such rows out",
                    )
            _refuse_trap(path, name, unpacked[name], size)
        plain = [_plain(array, kind) for array, kind in zip(arrays, kinds, strict=True)]
        yield type(batch).from_arrays(plain, names=list(columns))


def plain_columns(batch: Any) -> dict[str, list[Any]]:
    """Column → its values as Python has them.

    Raises:
        ValueError: a column holds what Python has no value for; it is named.
        DuplicateNameError: a map holds a name twice.
    """
    found = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        try:
            # Without it a map is a list of pairs, and would be read as texts.
            found[name] = array.to_pylist(maps_as_pydicts="strict")
        except UNREADABLE as error:
            if type(error) is KeyError:  # of an unknown time zone it is a class below
                raise DuplicateNameError(error.args[0]) from error
            raise ValueError(f"column {name}: {why_unreadable(error)}") from error
    return found


def why_unreadable(error: Exception) -> str:
    """What `UNREADABLE` errors mean, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return "a text is not UTF-8"
    return (str(error).splitlines() or [type(error).__name__])[0].strip("'")


def _opened(path: Path, texts: Sequence[str]) -> Any:
    """The file, whose `texts` (paths of leaf columns) are read as dictionaries."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise GenrecError(
            "reading Parquet needs `pyarrow`, which is not installed",
            where=str(path),
            hint="pip install 'genrec-core[parquet]', or convert the table to CSV",
        ) from error
    found, size = ParquetFile(regular_file(path), read_dictionary=list(texts) or None), path.stat().st_size
    if found.metadata.num_rows > ROWS_FREE and found.metadata.num_rows > size * ROWS_A_BYTE:
        raise DataError(
            f"`{path.name}` claims {found.metadata.num_rows:,} rows in {size:,} bytes",
            where=str(path),
            hint="distinct interactions take more room; write the rows that are meant",
        )
    return found


def _refuse_trap(path: Path, column: str, unpacked: int, size: int) -> None:
    if is_trap(size, unpacked):
        raise DataError(
            f"column `{column}` of `{path.name}` unpacks to {unpacked:,} bytes, "
            f"more than {UNPACKED_RATIO} times the file's {size:,}",
            where=str(path),
            hint=_TRAP_HINT,
        )


def _claimed(metadata: Any, place: int) -> int:
    """Bytes that a leaf column takes in memory by the file's own word; of texts, without repetitions."""
    chunks = [metadata.row_group(group).column(place) for group in range(metadata.num_row_groups)]
    leaf = metadata.schema.column(place)
    width = {"BYTE_ARRAY": 0, "FIXED_LEN_BYTE_ARRAY": leaf.length}.get(leaf.physical_type, _WIDEST_NUMBER)
    return sum(max(chunk.total_uncompressed_size, chunk.num_values * width) for chunk in chunks)


def _texts(array: Any) -> Iterator[tuple[int, int]]:
    """(bytes of all texts, bytes of the longest one) of each column of texts in an array, however nested."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        words = array.dictionary.type
        if not (pa.types.is_string(words) or pa.types.is_binary(words)):
            return
        lengths = pc.binary_length(array.dictionary)
        yield (
            pc.sum(pc.take(lengths, array.indices).cast(pa.int64())).as_py() or 0,
            pc.max(lengths).as_py() or 0,
        )
    elif pa.types.is_map(kind):
        yield from _texts(array.keys)
        yield from _texts(array.items)
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _texts(part)
    elif pa.types.is_nested(kind):
        yield from _texts(array.flatten())


def _plain(array: Any, kind: Any) -> Any:
    """An array as the file's own type has it."""
    import pyarrow as pa

    try:
        return array if array.type == kind else array.cast(kind)
    except pa.ArrowNotImplementedError:  # views of texts: a dictionary gives the same values
        return array
