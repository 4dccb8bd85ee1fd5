"""Tables: chosen columns of a CSV, Parquet or JSON-lines file, row by row, with the place of each row.

    for line, (user, item) in table_rows(Path("log.csv"), ("user", "item"), problems):
        ...

CSV values arrive as strings, the other formats keep their types. A value that is absent is None.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.data.lines import UTF8_HINT, byte_lines, records
from genrec_core.data.problems import Problems

Row = tuple[int, Sequence[Any]]
_COLUMN_HINT = "name the columns of your file (`genrec data import` takes a column map)"


def table_format(path: Path) -> str:
    """`csv`, `parquet` or `jsonl`, by the file's name.

    Raises:
        GenrecError: another kind of file.
    """
    name = path.name.removesuffix(".gz")
    for ending, kind in ((".csv", "csv"), (".tsv", "csv"), (".parquet", "parquet"), (".jsonl", "jsonl")):
        if name.endswith(ending) and not (kind == "parquet" and path.suffix == ".gz"):
            return kind
    raise GenrecError(
        f"cannot tell the format of `{path.name}`",
        where=str(path),
        hint="name it .csv, .tsv, .jsonl (each also with .gz) or .parquet",
    )


def table_rows(path: Path, columns: Sequence[str], problems: Problems, delimiter: str = "") -> Iterator[Row]:
    """(line, values of `columns`) of each row; a column that the table lacks is noted and ends it."""
    kind = table_format(path)
    if kind == "csv":
        return _csv_rows(path, columns, problems, delimiter)
    if kind == "parquet":
        return _parquet_rows(path, columns, problems)
    return ((line, [row.get(name) for name in columns]) for line, row in records(path, problems))


def table_columns(path: Path, problems: Problems, delimiter: str = "") -> tuple[str, ...]:
    """Names of a table's columns; of JSON lines, those of the first object."""
    kind = table_format(path)
    if kind == "csv":
        return tuple(next(_csv_records(path, problems, delimiter), (0, []))[1])
    if kind == "parquet":
        return _parquet_columns(path, problems)
    return tuple(next((row for _, row in records(path, problems)), {}))


def _csv_rows(path: Path, columns: Sequence[str], problems: Problems, delimiter: str) -> Iterator[Row]:
    rows = _csv_records(path, problems, delimiter)
    header = next(rows, (0, []))[1]
    if not header:
        if not problems.concern(path):
            problems.add("file is empty", path.name, path, hint="it needs a header line and rows")
        return
    if not _has_columns(path, columns, header, problems):
        return
    places, count = [header.index(name) for name in columns], 0
    for line, row in rows:
        count += 1
        if len(row) == len(header):
            yield line, [row[place] for place in places]
        elif row:
            what = f"row has another number of cells than the header's {len(header)}"
            problems.add(what, len(row), path, line, "quote cells that hold the delimiter or a line break")
    if not count and not problems.concern(path):
        problems.add("table has a header but no rows", path.name, path, hint="it needs at least one row")


def _csv_records(path: Path, problems: Problems, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    tab = path.name.removesuffix(".gz").endswith(".tsv")
    reader = csv.reader(
        _text_lines(path, problems), delimiter=delimiter or ("\t" if tab else ","), strict=True
    )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        problems.add("CSV cannot be read", str(error), path, reader.line_num, "check the quotes on this line")


def _text_lines(path: Path, problems: Problems) -> Iterator[str]:
    for number, line in byte_lines(path, problems):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            text = line.decode(errors="replace").strip()
            problems.add("line is not UTF-8", text, path, number, UTF8_HINT)
            return


def _parquet_rows(path: Path, columns: Sequence[str], problems: Problems) -> Iterator[Row]:
    present = _parquet_columns(path, problems)
    if not present or not _has_columns(path, columns, present, problems):
        return
    line = 0
    for batch in _parquet_file(path).iter_batches(columns=list(columns)):
        table = batch.to_pydict()
        for values in zip(*(table[name] for name in columns), strict=True):
            line += 1
            yield line, values
    if not line:
        problems.add("table has no rows", path.name, path, hint="it needs at least one row")


def _parquet_columns(path: Path, problems: Problems) -> tuple[str, ...]:
    try:
        return tuple(_parquet_file(path).schema_arrow.names)
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        value = str(error).splitlines()[0]
        problems.add("file is not a sound Parquet file", value, path, hint="write or copy it again")
        return ()


def _parquet_file(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise GenrecError(
            "reading Parquet needs `pyarrow`, which is not installed",
            where=str(path),
            hint="pip install 'genrec-core[parquet]', or convert the table to CSV",
        ) from error
    return ParquetFile(path)


def _has_columns(path: Path, wanted: Sequence[str], present: Sequence[str], problems: Problems) -> bool:
    missing = [name for name in wanted if name not in present]
    for name in missing:
        hint = f"columns are: {', '.join(present)}; {_COLUMN_HINT}"
        problems.add("table has no such column", name, path, 1, hint)
    return not missing
