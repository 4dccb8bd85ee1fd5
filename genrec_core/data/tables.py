"""Tables: chosen columns of a CSV, Parquet or JSON-lines file, row by row, with the place of each row.

    for line, (user, item) in table_rows(Path("log.csv"), ("user", "item"), defects):
        ...

CSV values arrive as strings, the other formats keep their types. A value that is absent is None.

Whether a quote in a CSV file holds a cell together or is a letter (`27" screen`) is written nowhere, so it is
decided from the file: quotes hold cells together when every line is then one row of the header's width; they
are letters when that is so without them only (where commas part cells that is refused as a slip). Rows
that go over several lines are counted, never lost, and so are blank lines.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.data.defects import Defects
from genrec_core.data.lines import LONGEST_LINE, UTF8_HINT, byte_lines, records
from genrec_core.data.parquet import (
    UNREADABLE,
    DuplicateNameError,
    parquet_batches,
    parquet_file,
    plain_columns,
    why_unreadable,
)

TableRow = tuple[int, Sequence[Any]]
Quoting = Literal["auto", "on", "off"]
_COLUMN_HINT = "name the columns of your file (`genrec data import` takes a column map)"


@dataclass(frozen=True)
class TableFormat:
    """How a table of text is written; Parquet and JSON lines say it themselves.

    Attributes:
        delimiter: between cells, one letter or several; empty means a comma (a tab for .tsv).
        columns: names of the columns of a file without a header line.
        encoding: of the letters.
        quoting: whether quotes hold cells together; `auto` decides from the file.
    """

    delimiter: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    quoting: Quoting = "auto"

    def of(self, path: Path) -> TableFormat:
        """The same with the delimiter that the file's name means, and `\\t` understood as a tab.

        Raises:
            DataError: the delimiter cannot part cells, or the encoding is unknown.
        """
        tab = path.name.removesuffix(".gz").endswith(".tsv")
        delimiter = self.delimiter.replace("\\t", "\t") or ("\t" if tab else ",")
        if any(letter in delimiter for letter in '"\r\n\0'):
            raise DataError(f"`{self.delimiter!r}` cannot part cells", hint="name it as in `--delimiter ';'`")
        if not _decodes(self.encoding):
            raise DataError(f"no encoding of texts is called {self.encoding!r}", hint="utf-8, latin-1 …")
        return replace(self, delimiter=delimiter)


def table_format(path: Path, written: TableFormat | None = None) -> str:
    """`csv`, `parquet` or `jsonl`, by the file's name; any name is CSV when a delimiter is given.

    A `.json` file is one of JSON lines, which is what public data sets call so.

    Raises:
        GenrecError: another kind of file.
    """
    name = path.name.removesuffix(".gz")
    kinds = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".json": "jsonl"}
    for ending, kind in kinds.items():
        if written is not None and written.delimiter and kind == "jsonl":
            continue
        if name.endswith(ending) and not (kind == "parquet" and path.suffix == ".gz"):
            return kind
    if written is not None and written.delimiter:
        return "csv"
    raise GenrecError(
        f"cannot tell the format of `{path.name}`",
        where=str(path),
        hint="name it .csv, .tsv, .jsonl (each also with .gz) or .parquet; or give a `--delimiter`",
    )


def table_rows(
    path: Path, columns: Sequence[str], defects: Defects, written: TableFormat | None = None
) -> Iterator[TableRow]:
    """(line, values of `columns`) of each row; a column that the table lacks is noted and ends it."""
    kind = table_format(path, written)
    if kind == "csv":
        return _csv_rows(path, columns, defects, written or TableFormat())
    if kind == "parquet":
        return _parquet_rows(path, columns, defects)
    lines = records(path, defects, literals=True)
    return ((line, [row.get(name) for name in columns]) for line, row in lines)


def table_columns(path: Path, defects: Defects, written: TableFormat | None = None) -> tuple[str, ...]:
    """Names of a table's columns; of JSON lines, every name that any object has."""
    kind = table_format(path, written)
    if kind == "csv":
        written = (written or TableFormat()).of(path)
        if written.columns:
            return written.columns
        _, cells = next(_csv_records(path, Defects(), replace(written, quoting="off")), (0, [""]))
        if any('"' in cell for cell in cells):
            written = replace(written, quoting=_quoting(path, written, Defects()))
            _, cells = next(_csv_records(path, defects, written), (0, []))
        return tuple(cells)
    if kind == "parquet":
        return _parquet_columns(path, defects)
    names: dict[str, None] = {}
    for _, row in records(path, Defects(), literals=True):
        names.update(dict.fromkeys(row))
    return tuple(names)


def _decodes(encoding: str) -> bool:
    """Whether an encoding makes letters of bytes; `rot13`, `base64` and `undefined` do not."""
    try:
        return "a\n".encode(encoding).decode(encoding) == "a\n"
    except (LookupError, ValueError):
        return False


def _csv_rows(
    path: Path, columns: Sequence[str], defects: Defects, written: TableFormat
) -> Iterator[TableRow]:
    written = written.of(path)
    written = replace(written, quoting=_quoting(path, written, defects))
    rows = _csv_records(path, defects, written)
    last, header = (0, list(written.columns)) if written.columns else next(rows, (0, []))
    if not header:
        if not defects.concern(path):
            defects.add("file is empty", path.name, path, hint="it needs a header line and rows")
        return
    if not _has_columns(path, columns, header, defects):
        return
    places = [header.index(name) for name in columns]
    count = further = blank = pending = 0
    for line, row in rows:
        further += line - last - 1
        last = line
        if not row:
            pending += 1
            continue
        count, blank, pending = count + 1, blank + pending, 0
        if len(row) == len(header):
            yield line, [row[place] for place in places]
        else:
            what = f"row has another number of cells than the header's {len(header)}"
            defects.add(what, len(row), path, line, "quote cells that hold the delimiter or a line break")
    if further:
        defects.decisions[f"lines of {path.name} that continue a quoted cell of the line before"] = further
    defects.blank_lines(path, blank, pending)
    if not count and not defects.concern(path):
        defects.add("table has a header but no rows", path.name, path, hint="it needs at least one row")


def _quoting(path: Path, written: TableFormat, defects: Defects) -> Quoting:
    """`on` or `off`; a file is read once more for it, if it has a quote at all."""
    if len(written.delimiter) > 1:
        return "off"  # the csv module parts cells by one letter only, and such files quote nothing
    if written.quoting != "auto":
        return written.quoting
    silent = Defects()
    quoted_lines, lines = 0, 0
    for _, line in _text_lines(path, silent, written.encoding):
        lines += not line.isspace()
        quoted_lines += '"' in line
    if not quoted_lines:
        return "on"
    if _fits(path, replace(written, quoting="on"), lines) or not _fits(
        path, replace(written, quoting="off"), lines
    ):
        return "on"
    if written.delimiter == ",":  # where commas part cells, a quote that opens and does not close is a slip
        if _fits(path, replace(written, quoting="on"), 0):
            hint = "say `--quoting on` if cells do hold line breaks, `--quoting off` if quotes are letters"
            what = "a quote joins lines that are whole rows without it"
            defects.add(what, f"{quoted_lines} lines with quotes", path, hint=hint)
        return "on"
    defects.decisions[f"lines of {path.name} with a quote that is a letter (quoting: off)"] = quoted_lines
    return "off"


def _fits(path: Path, written: TableFormat, lines: int) -> bool:
    """Whether all rows have as many cells as the first one, and are as many as `lines` (0: any number)."""
    found, count, width = Defects(), 0, len(written.columns)
    for _, row in _csv_records(path, found, written):
        if not row or (len(row) == 1 and not row[0].strip()):
            continue
        width, count = width or len(row), count + 1
        if len(row) != width:
            return False
    return not found and lines in (0, count)


def _csv_records(path: Path, defects: Defects, written: TableFormat) -> Iterator[tuple[int, list[str]]]:
    """(last line, cells) of each row."""
    lines = _text_lines(path, defects, written.encoding)
    if written.quoting == "off":
        for number, line in lines:
            text = line.rstrip("\r\n")
            yield number, text.split(written.delimiter) if text else []
        return
    reader = csv.reader((line for _, line in lines), delimiter=written.delimiter, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        what, hint = str(error), "check the quotes on this line, or say `--quoting off`"
        if "field limit" in what:
            what = f"a cell is longer than {csv.field_size_limit():,} letters"
            hint = "a quote that nothing closes swallows what follows: close it, or say `--quoting off`"
        defects.add("CSV cannot be read", what, path, reader.line_num, hint)


def _text_lines(path: Path, defects: Defects, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
        yield from _wide_lines(path, defects, encoding)
        return
    for number, line in byte_lines(path, defects):
        try:
            text = line.decode(encoding)
        except ValueError:  # some encodings raise nothing finer
            text = line.decode(errors="replace").strip()
            if codecs.lookup(encoding).name == "utf-8":
                defects.add("line is not UTF-8", text, path, number, f"{UTF8_HINT}; or `--encoding latin-1`")
            else:
                defects.add(f"line is not {encoding}", text, path, number, "name another `--encoding`")
            return
        yield number, text


def _wide_lines(path: Path, defects: Defects, encoding: str) -> Iterator[tuple[int, str]]:
    """Lines of letters of two or four bytes, in which a line break is more than a byte."""
    decoder, rest, number = codecs.getincrementaldecoder(encoding)(), "", 0
    try:
        for _, piece in byte_lines(path, defects):
            lines = (rest + decoder.decode(piece)).split("\n")
            rest = lines.pop()
            if len(rest) > LONGEST_LINE:
                defects.add("line is too long", f"{LONGEST_LINE:,} letters and more", path, number + 1)
                return
            for line in lines:
                number += 1
                yield number, line.removeprefix("\ufeff" if number == 1 else "") + "\n"
        rest += decoder.decode(b"", final=True)
    except UnicodeError as error:
        defects.add(f"line is not {encoding}", str(error), path, number + 1, "name another `--encoding`")
        return
    if rest:
        yield number + 1, rest.removeprefix("" if number else "\ufeff")


def _parquet_rows(path: Path, columns: Sequence[str], defects: Defects) -> Iterator[TableRow]:
    present = _parquet_columns(path, defects)
    if not present or not _has_columns(path, columns, present, defects):
        return
    line = 0
    try:
        for batch in parquet_batches(path, list(dict.fromkeys(columns))):
            table = plain_columns(batch)
            for values in zip(*(table[name] for name in columns), strict=True):
                line += 1
                yield line, values
    except DuplicateNameError as error:
        hint = "keep one value a name, or leave the column out by naming the columns that are meant"
        defects.add("a map has one name twice", str(error), path, line + 1, hint)
        return
    except (OSError, *UNREADABLE) as error:
        hint = "write it again, with texts in UTF-8 and times as seconds or text"
        defects.add("Parquet file cannot be read", why_unreadable(error), path, line + 1, hint)
        return
    if not line:
        defects.add("table has no rows", path.name, path, hint="it needs at least one row")


def _parquet_columns(path: Path, defects: Defects) -> tuple[str, ...]:
    if path.exists() and not path.is_file():
        defects.add("is not a regular file", path.name, path, hint="a pipe, a device or a folder has no rows")
        return ()
    try:
        return tuple(parquet_file(path).schema_arrow.names)
    except (OSError, *UNREADABLE) as error:
        hint = "write or copy it again"
        defects.add("file is not a sound Parquet file", why_unreadable(error), path, hint=hint)
        return ()


def _has_columns(path: Path, wanted: Sequence[str], present: Sequence[str], defects: Defects) -> bool:
    twice = sorted({name for name in present if present.count(name) > 1} & set(wanted))
    for name in twice:
        defects.add("two columns have one name", name, path, 1, "rename one of them in the header")
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    for name in missing:
        hint = f"columns are: {', '.join(present)}; {_COLUMN_HINT}"
        defects.add("table has no such column", name, path, 1, hint)
    return not missing and not twice
