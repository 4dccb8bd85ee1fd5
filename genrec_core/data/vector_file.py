"""Vector files: a matrix that somebody else computed, and which item each row belongs to.

Three formats, none of which can run code: `.npy` and `.safetensors` hold the matrix alone and need a file of
ids beside it (a line an id, or JSON lines with `item_id`, such as the data folder's own items.jsonl); Parquet
holds both in its columns. Rows that do not fit are never guessed at: an id that is missing or comes twice, a
row of another width and a number that is not finite are refused with counts and examples.

    images.npy  float32 [2, 512]      ids.txt  B004756YJA ⏎ B0009X29WK      →  ids and a matrix [2, 512]
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import DataError, examples
from genrec_core.contracts.options import regular_file
from genrec_core.data.defects import Defects
from genrec_core.data.lines import UTF8_HINT, byte_lines, records
from genrec_core.data.parquet import UNREADABLE, parquet_batches, parquet_file, why_unreadable
from genrec_core.store.content import load_arrays

ENDINGS = (".npy", ".safetensors", ".parquet")


@dataclass(frozen=True)
class VectorFile:
    """Vectors by item id.

    Attributes:
        ids: distinct item ids, a row each.
        vectors: float32 [len(ids), d], finite.
        path: where they come from, for messages.
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    path: Path

    def of(self, wanted: tuple[str, ...]) -> NDArray[np.float32]:
        """The vectors of these items, float32 [len(wanted), d].

        Raises:
            DataError: the file has no vector for some of them.
        """
        place = {item: row for row, item in enumerate(self.ids)}
        missing = [item for item in wanted if item not in place]
        if missing:
            raise DataError(
                f"{len(missing):,} of {len(wanted):,} items have no vector in `{self.path.name}`: "
                f"{examples(missing)}",
                where=str(self.path),
                hint="add their rows to the file; a file may hold more items than are asked for",
            )
        return self.vectors[[place[item] for item in wanted]]


def read_vectors(
    path: Path, ids: Path | None = None, column: str = "", id_column: str = "item_id"
) -> VectorFile:
    """Read a matrix with its ids.

    Args:
        path: a `.npy`, `.safetensors` or `.parquet` file.
        ids: the ids of its rows, for the first two: text with a line an id, or `.jsonl` with `item_id`.
        column: which tensor or column holds the vectors; by default the only one that can.
        id_column: the Parquet column of ids.

    Raises:
        DataError: a file cannot be read, or ids and rows do not fit together.
    """
    if path.suffix == ".parquet":
        names, matrix = _parquet(path, column, id_column)
    elif ids is None:
        raise DataError(
            f"`{path.name}` does not say which item a row belongs to",
            where=str(path),
            hint="name a file of ids, a line a row: ids: ids.txt (or items.jsonl, if rows are in its order)",
        )
    else:
        names, matrix = _ids(ids), read_matrix(path, column)
    if len(names) != len(matrix):
        raise DataError(
            f"`{path.name}` has {len(matrix):,} rows for {len(names):,} ids",
            where=str(path),
            hint="one row an id",
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{len(twice):,} ids of `{path.name}` come more than once: {examples(twice)}",
            where=str(ids or path),
            hint="keep one row of each",
        )
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and said below
        vectors = np.ascontiguousarray(matrix, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise DataError(
            f"{len(bad):,} of {len(vectors):,} vectors in `{path.name}` hold numbers that are not finite in "
            f"float32: {examples(names[row] for row in bad.tolist())}",
            where=str(path),
            hint="leave these items out, or give them the mean vector",
        )
    return VectorFile(tuple(names), vectors, path)


def read_matrix(path: Path, name: str = "") -> NDArray[Any]:
    """The matrix of a `.npy` or `.safetensors` file, of any type of number, [rows, d] with d > 0.

    Args:
        path: the file.
        name: of the tensor in a safetensors file that has several.

    Raises:
        DataError: the file holds no such matrix.
    """
    try:
        if path.suffix == ".npy":
            found: Any = np.load(regular_file(path), mmap_mode="r", allow_pickle=False)
        else:
            found = _tensor(load_arrays(path)[0], path, name)
    except (OSError, ValueError, TypeError, EOFError, OverflowError, MemoryError) as error:
        raise DataError(f"`{path.name}` cannot be read: {error}", where=str(path)) from error
    if found.ndim != 2 or found.dtype.kind not in "fiu" or not found.shape[1]:
        raise DataError(
            f"`{path.name}` holds `{found.dtype}{list(found.shape)}`, not rows of numbers",
            where=str(path),
            hint="save a matrix [items, width] of a number type",
        )
    return np.asarray(found)


def _tensor(arrays: dict[str, NDArray[Any]], path: Path, name: str) -> NDArray[Any]:
    if name in arrays:
        return arrays[name]
    if name or len(arrays) != 1:
        raise DataError(
            f"`{path.name}` holds `{len(arrays)}` tensors, "
            + (f"none called `{name}`" if name else "not one"),
            where=str(path),
            hint=f"name one: {', '.join(sorted(arrays)) or 'there is none'}",
        )
    return next(iter(arrays.values()))


def _ids(path: Path) -> list[str]:
    defects = Defects()
    names: list[str] = []
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        for line, record in records(path, defects):
            name = record.get("item_id")
            if isinstance(name, str) and name:
                names.append(name)
            else:
                defects.add("`item_id` is not a text", name, path, line, 'write "item_id": "…" on every line')
    else:
        for line, raw in byte_lines(path, defects):
            try:
                name = raw.decode("utf-8-sig" if line == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                defects.add("line is not UTF-8", "", path, line, UTF8_HINT)
                continue
            if name:
                names.append(name)
            else:
                defects.add("line has no id", "", path, line, "write one id a line, as many as rows")
    defects.refuse()
    return names


def _parquet(path: Path, column: str, id_column: str) -> tuple[list[str], NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        schema = parquet_file(path).schema_arrow
    except (OSError, *UNREADABLE) as error:
        raise DataError(
            f"`{path.name}` is no sound Parquet file: {why_unreadable(error)}", where=str(path)
        ) from error
    lists = [field.name for field in schema if _holds_numbers(field.type)]
    wanted = column or (lists[0] if len(lists) == 1 else "")
    if wanted not in lists or id_column not in schema.names:
        raise DataError(
            f"`{path.name}` has no column `{wanted or 'of vectors'}` beside `{id_column}`",
            where=str(path),
            hint=f"columns of vectors (lists of numbers): {', '.join(lists) or 'none'}; "
            f"all columns: {', '.join(schema.names)}",
        )
    twice = {id_column, wanted} & {name for name in schema.names if schema.names.count(name) > 1}
    if twice or id_column == wanted:
        raise DataError(
            f"`{path.name}` has more than one column `{min(twice)}`"
            if twice
            else f"`{wanted}` of `{path.name}` cannot be both ids and vectors",
            where=str(path),
            hint="name another one: column, id_column",
        )
    read = pa.schema([schema.field(name) for name in (id_column, wanted)])
    try:
        table = pa.Table.from_batches(parquet_batches(path, read.names), read)
        names = _names(table[id_column])
    except (OSError, *UNREADABLE) as error:
        raise DataError(
            f"`{id_column}` of `{path.name}` cannot be read: {why_unreadable(error)}",
            where=str(path),
            hint="write the ids as texts in UTF-8, the vectors as lists of numbers",
        ) from error
    rows = table[wanted].combine_chunks()
    widths = pc.fill_null(pc.list_value_length(rows), 0).to_numpy(zero_copy_only=False)
    usual = Counter(widths.tolist()).most_common(1)[0][0] if len(widths) else 0
    odd = np.flatnonzero((widths != usual) | (widths == 0))
    nameless = sum(name is None or not name for name in names)
    if nameless:
        raise DataError(f"{nameless:,} rows of `{path.name}` have no id in `{id_column}`", where=str(path))
    if len(odd) or not len(names):
        raise DataError(
            f"{len(odd):,} of {len(names):,} vectors in `{path.name}` are not {usual or 'some'} numbers "
            f"wide: {examples(names[row] for row in odd.tolist())}",
            where=str(path),
            hint="every item needs a vector of the same width",
        )
    flat = rows.flatten().to_numpy(zero_copy_only=False)
    return names, flat.reshape(len(names), usual)


def _names(column: Any) -> list[str]:
    """Ids as texts, those of other plain types as Arrow writes them.

    Raises:
        ValueError, NotImplementedError: the column holds no texts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(column.type):
        raise ValueError(f"a {column.type} is no id")
    found: list[str] = pc.cast(column, pa.string()).to_pylist()
    return found


def _holds_numbers(kind: Any) -> bool:
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return bool(types.is_floating(kind.value_type) or types.is_integer(kind.value_type))
