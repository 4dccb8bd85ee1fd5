"""JSON lines, plain or gzipped: read with line numbers, written with the same bytes every time.

Reading never stops at one bad line: it goes into `Defects` and the next line is read. Only damage to the
file as a whole (cut-off gzip, missing file) ends it.
"""

from __future__ import annotations

import ast
import codecs
import gzip
import json
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import orjson

from genrec_core.contracts.errors import DataError
from genrec_core.contracts.options import regular_file
from genrec_core.data.defects import Defects

UTF8_HINT = "save the file as UTF-8; `iconv -f latin1 -t utf-8` converts an old one"
LONGEST_LINE = 64 << 20
UNPACKED_FREE, UNPACKED_RATIO = 256 << 20, 200
"""Below so many bytes nobody asks; above them a packed file of more than this ratio is a trap, not data."""
DEEPEST = 32
_NAME_END = re.compile(rb'"\s*:')


def state(path: Path) -> str:
    """What stands at a path: `folder`, `file`, `other` (pipe, device), `broken link` or `absent`.

    Raises:
        DataError: the path is none (too long, a null character), or may not be looked at.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "broken link" if path.is_symlink() else "absent"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        shown = f"{path.name[:40]}…" if len(path.name) > 40 else path.name
        raise DataError(f"`{shown}` cannot be looked at: {reason}", hint="check path and rights") from error
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def is_trap(packed: int, unpacked: int) -> bool:
    """Whether so many bytes unpack to more than honest data could."""
    return unpacked > UNPACKED_FREE and unpacked > packed * UNPACKED_RATIO


def byte_lines(path: Path, defects: Defects) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes) of each line; damage to the file is noted and ends the reading.

    Only a regular file is read, so that a pipe or a device cannot keep a command waiting, and no more of a
    gzip file than honest data could hold.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            defects.add(
                "is not a regular file", path.name, path, hint="a pipe, a device or a folder has no rows"
            )
            return
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield from _bounded_lines(cast("IO[bytes]", stream), path, defects)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        what = "gzip file is cut off" if isinstance(error, EOFError) else "file is not a sound gzip file"
        defects.add(what, path.name, path, hint="copy or download it again; `gzip -t` tests a file")
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or str(error)
        defects.add("file cannot be read", reason, path, hint="check path and rights")


def _bounded_lines(stream: IO[bytes], path: Path, defects: Defects) -> Iterator[tuple[int, bytes]]:
    packed = path.stat().st_size if path.suffix == ".gz" else 0
    number = unpacked = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number, unpacked = number + 1, unpacked + len(line)
        if len(line) > LONGEST_LINE:
            hint = f"a line may have {LONGEST_LINE:,} bytes; is this a text file of rows?"
            defects.add("line is too long", f"{LONGEST_LINE:,} bytes and more", path, number, hint)
            return
        if packed and is_trap(packed, unpacked):
            hint = "unpack it yourself (`gunzip`) if it is what it should be"
            what = f"gzip file unpacks to more than {UNPACKED_RATIO} times its size"
            defects.add(what, path.name, path, number, hint)
            return
        yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def records(path: Path, defects: Defects, *, literals: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of each line of a `.jsonl` or `.jsonl.gz` file; blank ones are counted.

    With `literals`, a line may be a dictionary as Python prints it (`{'asin': 'B1'}`), as some public files
    have them; they are counted.
    """
    empty, blank, pending, printed = True, 0, 0, 0
    for number, line in byte_lines(path, defects):
        if not line or line.isspace():
            pending += 1
            continue
        empty, blank, pending = False, blank + pending, 0
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            record = _literal(line) if literals else None
            if record is None:
                _note_bad_line(path, number, line, defects)
                continue
            printed += 1
            yield number, record
            continue
        if not isinstance(record, dict):
            hint = 'write one `{"name": value}` a line'
            defects.add("line is not a JSON object", record, path, number, hint)
        elif defect := _defect(record, line):
            defects.add(*defect, path, number, "keep one value a name, and no deep nesting")
        else:
            yield number, record
    if printed:  # said once, though a table may be read for its events and for its items
        defects.decisions[f"lines of {path.name} that are Python's dictionaries, not JSON"] = printed
    defects.blank_lines(path, blank, pending)
    if empty and not defects.concern(path):
        defects.add("file is empty", path.name, path, hint="it needs one JSON object a line; or delete it")


def _literal(line: bytes) -> dict[str, Any] | None:
    """A dictionary of constants as Python prints it; nothing is ever run.

    Python prints names in single quotes, so JSON with a slip in it is not taken for Python, and none twice.
    """
    try:
        text = line.decode().strip()
        if not text.startswith("{'"):
            return None
        tree = ast.parse(text, mode="eval")
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        return None
    dictionaries = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    twice = any(len({ast.dump(name) for name in one.keys if name}) < len(one.keys) for one in dictionaries)
    return None if twice or _depth(value) > DEEPEST else value


def _defect(record: dict[str, Any], line: bytes) -> tuple[str, str] | None:
    """What JSON allows and data does not: a name twice in one object (the last would win), deep nesting."""
    opened = line.count(b"[") + line.count(b"{")
    if opened > DEEPEST and _depth(record) > DEEPEST:
        return "line is nested too deep", f"more than {DEEPEST} levels"
    names = len(record) if opened == 1 or b"{" not in line[1:] else -1
    if names == len(_NAME_END.findall(line)):
        return None  # as many names in the text as in the object
    twice: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        twice.extend(name for name, _ in found if name in seen or seen.add(name))  # type: ignore[func-returns-value]

    json.loads(line, object_pairs_hook=pairs)
    return ("line has one name twice", twice[0]) if twice else None


def _depth(record: Any) -> int:
    level, depth = [record], 0
    while level and depth <= DEEPEST:
        inner = (part.values() if isinstance(part, dict) else part for part in level)
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
        depth += 1
    return depth


def _note_bad_line(path: Path, number: int, line: bytes, defects: Defects) -> None:
    try:
        text = line.decode().strip()
    except UnicodeDecodeError as error:
        value = line[max(0, error.start - 10) : error.start + 10].decode(errors="replace").strip()
        if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            value = "UTF-16, by its first two bytes"
        defects.add("line is not UTF-8", value, path, number, UTF8_HINT)
        return
    hint = "write one complete JSON object a line, names and texts in double quotes"
    if "NaN" in text or "Infinity" in text:
        hint = "NaN and Infinity are no JSON values; leave such rows out or write the true number"
    defects.add("line is not JSON", text, path, number, hint)


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
        content = regular_file(path).read_bytes()
        return orjson.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        hint = "delete the artefact's folder and run the pipeline again"
        raise DataError(f"`{path.name}` cannot be read: {error}", where=str(path), hint=hint) from error
