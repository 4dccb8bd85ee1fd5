"""JSON lines, plain or gzipped: read with line numbers, written with the same bytes every time.

Reading never stops at one bad line: it goes into `Problems` and the next line is read. Only damage to the
file as a whole (cut-off gzip, missing file) ends it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import orjson

from genrec_core.contracts.errors import DataError
from genrec_core.data.problems import Problems

UTF8_HINT = "save the file as UTF-8; `iconv -f latin1 -t utf-8` converts an old one"


def byte_lines(path: Path, problems: Problems) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes) of each line; damage to the file is noted and ends the reading."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield from enumerate(stream, start=1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = "gzip file is cut off" if isinstance(error, EOFError) else "file is not a sound gzip file"
        problems.add(what, path.name, path, hint="copy or download it again; `gzip -t` tests a file")
    except OSError as error:
        problems.add("file cannot be read", error.strerror or str(error), path, hint="check path and rights")


def records(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of each line of a `.jsonl` or `.jsonl.gz` file; blank lines are skipped."""
    empty = True
    for number, line in byte_lines(path, problems):
        if line.isspace():
            continue
        empty = False
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            _note_bad_line(path, number, line, problems)
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            problems.add(
                "line is not a JSON object", record, path, number, 'write one `{"name": value}` a line'
            )
    if empty and not problems.concern(path):
        problems.add("file is empty", path.name, path, hint="it needs one JSON object a line; or delete it")


def _note_bad_line(path: Path, number: int, line: bytes, problems: Problems) -> None:
    try:
        text = line.decode().strip()
    except UnicodeDecodeError as error:
        value = line[max(0, error.start - 10) : error.start + 10].decode(errors="replace").strip()
        problems.add("line is not UTF-8", value, path, number, UTF8_HINT)
        return
    hint = "write one complete JSON object a line, names and texts in double quotes"
    if "NaN" in text or "Infinity" in text:
        hint = "NaN and Infinity are no JSON values; leave such rows out or write the true number"
    problems.add("line is not JSON", text, path, number, hint)


def write_records(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write one JSON object a line and say how many; a name ending in `.gz` is compressed."""
    count = 0
    with written(path) as stream:
        for row in rows:
            stream.write(orjson.dumps(row) + b"\n")
            count += 1
    return count


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A binary stream to a new file; gzip carries neither name nor time, so equal content is equal bytes."""
    with path.open("wb") as raw:
        if path.suffix != ".gz":
            yield raw
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed:
            yield cast("IO[bytes]", packed)


def write_json(path: Path, value: Any) -> None:
    """Write one JSON value, keys in their order; a name ending in `.gz` is compressed."""
    with written(path) as stream:
        stream.write(orjson.dumps(value))


def read_json(path: Path) -> Any:
    """The JSON value of a file that `write_json` wrote.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        content = path.read_bytes()
        return orjson.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        hint = "delete the artefact's folder and run the pipeline again"
        raise DataError(f"`{path.name}` cannot be read: {error}", where=str(path), hint=hint) from error
