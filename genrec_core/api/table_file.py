"""Tables in files: JSON lines, CSV and Parquet, written whole or in parts that are joined at the end.

    write_table(Path("recs.00000.parquet"), columns)
    join_tables([Path("recs.00000.parquet"), Path("recs.00001.parquet")], Path("recs.parquet"))

A file appears under its name when it is whole. Joining holds one part in memory; a part of a Parquet file
becomes one of its row groups.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.errors import GenrecError

FORMATS = ("jsonl", "csv", "parquet")


def format_of(path: Path) -> str:
    """`jsonl`, `csv` or `parquet`, by a file's ending.

    Raises:
        GenrecError: another ending; or Parquet without pyarrow.
    """
    kind = path.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise GenrecError(f"cannot tell the format of `{path.name}`", hint="name it .jsonl, .csv or .parquet")
    if kind == "parquet":
        _pyarrow(path)
    return kind


def type_of(values: Iterable[Any]) -> str:
    """What a column holds, in Arrow's words: `int64`, `double`, or `string` for everything else."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds or not kinds <= {int, float}:
        return "string"
    return "int64" if kinds == {int} else "double"


def write_table(
    path: Path,
    columns: Mapping[str, Sequence[Any]],
    kind: str = "",
    types: Mapping[str, str] | None = None,
) -> None:
    """Write columns of equal length.

    Args:
        path: of the file.
        columns: name → values.
        kind: what the file's ending says by default.
        types: name → `type_of` of the whole column, where this is a part of it.
    """
    kind = kind or format_of(path)
    building = path.with_name(f"{path.name}.tmp")
    if kind == "parquet":
        arrow, parquet = _pyarrow(path)
        parquet.write_table(_arrow_table(arrow, columns, types or {}), building)
    else:
        rows = zip(*columns.values(), strict=True)
        body = _json_lines(list(columns), rows) if kind == "jsonl" else _csv(list(columns), rows)
        building.write_bytes(body)
    building.replace(path)


def join_tables(parts: Sequence[Path], out: Path, kind: str) -> None:
    """Join files with the same columns into `out`, in order.

    Args:
        parts: files of one kind, at least one.
        out: written anew, in one step.
        kind: of the parts and of `out`.
    """
    building = out.with_name(f"{out.name}.tmp")
    if kind == "parquet":
        _, parquet = _pyarrow(out)
        with parquet.ParquetWriter(building, parquet.read_schema(parts[0])) as writer:
            for part in parts:
                writer.write_table(parquet.read_table(part))
    else:
        with building.open("wb") as file:
            for place, part in enumerate(parts):
                with part.open("rb") as one:
                    if kind == "csv" and place:
                        one.readline()  # the header, which holds no line break
                    shutil.copyfileobj(one, file)
    building.replace(out)


def _json_lines(names: list[str], rows: Any) -> bytes:
    lines = [
        orjson.dumps(dict(zip(names, row, strict=True)), default=str, option=orjson.OPT_SERIALIZE_NUMPY)
        for row in rows
    ]
    return b"".join(line + b"\n" for line in lines)


def _csv(names: list[str], rows: Any) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name.replace("\r", " ").replace("\n", " ") for name in names])
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _arrow_table(arrow: Any, columns: Mapping[str, Sequence[Any]], types: Mapping[str, str]) -> Any:
    arrays = {}
    for name, values in columns.items():
        kind = types.get(name) or type_of(values)
        if kind == "string":
            values = [None if value is None else str(value) for value in values]
        arrays[name] = arrow.array(values, type=arrow.type_for_alias(kind))
    return arrow.table(arrays)


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise GenrecError(
            "writing Parquet needs `pyarrow`, which is not installed",
            where=str(path),
            hint="pip install 'genrec-core[parquet]', or name a .jsonl or .csv file",
        ) from error
    return pa, parquet
