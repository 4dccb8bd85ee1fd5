"""Fuzzer of imports: a table of interactions and perhaps one of items, spoiled, and options of every kind.

    python -m tests.fuzz.imports --count 10000

An input goes through `genrec data import`. What is accepted must hold the oracle, which reads the tables
again, plainly: rows read = rows of the table = rows kept + rows counted as dropped; every interaction of the
new folder is a row of the table, ids and texts are those of the tables, and `genrec data check` finds nothing
in the folder.
"""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from click.testing import CliRunner

from genrec_core.cli.data import data
from genrec_core.data.folder import Reading, load_folder
from tests.fuzz.common import main
from tests.fuzz.folders import (
    break_record,
    broken_bytes,
    broken_gzip,
    broken_letters,
    csv_of,
    events_of,
    sound,
)

Row = dict[str, Any]
_READ = ("user_id", "item_id", "timestamp", "title")


def check(draw: random.Random) -> tuple[str, Callable[[], str]]:
    """One input: tables with a few things wrong, and options."""
    log, items, options = _tables(draw)
    kind, delimiter = draw.choice(
        (("csv", ","), ("csv", ";"), ("tsv", "\t"), ("dat", "::"), ("jsonl", ""), ("parquet", ""))
    )
    if delimiter in (";", "::"):
        options += ["--delimiter", delimiter]
    files = {f"log.{kind}": _written(log, kind, delimiter, draw)}
    if items:
        item_kind = kind if kind in ("csv", "dat") else draw.choice(("jsonl", "csv", "parquet"))
        files[f"items.{item_kind}"] = _written(items, item_kind, delimiter or ",", draw)
        options += ["--items", f"items.{item_kind}"]
    if draw.random() < 0.1:
        name = draw.choice([name for name in files if not name.endswith(".parquet")] or [""])
        if name:
            files = {(f"{key}.gz" if key == name else key): content for key, content in files.items()}
            files[f"{name}.gz"] = broken_gzip(files[f"{name}.gz"], draw)
            options = [f"{word}.gz" if word == name else word for word in options]
    if kind not in ("jsonl", "parquet"):
        options += draw.choice(([], [], [], ["--quoting", "on"], ["--quoting", "off"]))
    shown = "\n".join(f"{name}: {content!r:.2000}" for name, content in files.items())
    return f"{' '.join(options)}\n{shown}", lambda: attempt(files, options)


def _tables(draw: random.Random) -> tuple[list[Row], list[Row], list[str]]:
    """Rows of interactions, rows of items (none: the texts are in the interactions), and options."""
    items, log = sound(draw)["items"], []
    titles = {item["item_id"]: item["title"] for item in items}
    while not log:
        tables = sound(draw)
        log = [row for row in tables.get("interactions", ()) if row["item_id"] in titles]
    options = draw.choice(([], [], ["--dedupe", "keep-first"], ["--dedupe", "keep-last"], ["--k-core", "2"]))
    for extra in (
        ["--unknown-items", "drop"],
        ["--allow-empty-text"],
        ["--unescape-html"],
        ["--tie-key", "n"],
    ):
        options = [*options, *(extra if draw.random() < 0.25 else [])]
    options += draw.choice(([], [], ["--missing-words", "empty"], ["--missing-words", "keep"]))
    options += draw.choice(([], [], ["--duplicate-items", "first"], ["--duplicate-items", "last"]))
    unit = draw.choice(("seconds", "seconds", "milliseconds", "iso"))
    options += ["--time-format", unit]
    for row in log:
        row["timestamp"] = _moment(row["timestamp"], unit)
    for row in items:
        row.pop("tags", None)
    inside = draw.random() < 0.4
    if inside:
        log = [{**row, "title": titles[row["item_id"]]} for row in log]
        options += ["--item-field", "title=title"]
    for _ in range(draw.choice((0, 1, 1, 2))):
        break_record(log if inside or draw.random() < 0.6 else items, draw)
    return log, [] if inside else items, options


def _moment(seconds: float, unit: str) -> Any:
    if unit == "iso":
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    return seconds * 1000 if unit == "milliseconds" else seconds


def _written(rows: list[Row], kind: str, delimiter: str, draw: random.Random) -> bytes:
    if kind == "parquet":
        content = _parquet(rows)
    elif kind == "jsonl":
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    elif len(delimiter) > 1:
        content = csv_of(rows, "\x1f").replace(b"\x1f", delimiter.encode())
    else:
        content = csv_of(rows, delimiter)
    for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
        content = draw.choice((broken_bytes, broken_letters))(content, draw)
    return content


def _parquet(rows: list[Row]) -> bytes:
    """The rows as Parquet, or, where a column would mix kinds of values, with that column as text."""
    import pyarrow as pa
    from pyarrow import parquet

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) or None if isinstance(row.get(name), dict) else row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
            columns[name] = pa.array([None if value is None else ascii(value) for value in values])
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    return out.getvalue()


def attempt(files: dict[str, bytes], options: list[str]) -> str:
    """Import tables; what the oracle has against an import that was accepted."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        given = [str(folder / word) if word in files else word for word in options]
        log, out = folder / next(iter(files)), folder / "out"
        result = CliRunner().invoke(data, ["import", str(log), "--out", str(out), "--json", *given])
        if result.exception is not None:
            raise result.exception
        steps = {step["what"]: step["count"] for step in json.loads(result.stdout)["steps"]}
        return differences(folder, log, options, steps) or _checked(out, options)


def _checked(out: Path, options: list[str]) -> str:
    """What `genrec data check` has against an imported folder."""
    allowed = ["--allow-empty-text"] * ("--allow-empty-text" in options)
    result = CliRunner().invoke(data, ["check", str(out), *allowed, "--missing-words", _kept(options)])
    return "" if result.exit_code == 0 else f"the imported folder is refused: {result.output}"


def _kept(options: list[str]) -> Literal["keep", "refuse"]:
    return "keep" if "--missing-words" in options and "keep" in options else "refuse"


def differences(folder: Path, log: Path, options: list[str], steps: dict[str, int]) -> str:
    """In what an imported folder differs from a plain reading of its tables; empty when all is explained."""
    read = steps["interactions read"]
    dropped = sum(count for what, count in steps.items() if "interactions" in what and "dropped" in what)
    dropped -= steps.get("items with too few interactions dropped", 0)
    dataset = load_folder(
        folder / "out",
        Reading(allow_empty_text="--allow-empty-text" in options, missing_words=_kept(options)),
    )
    if len(dataset.sequences.values) != read - dropped:
        return f"{read} read, {dropped} dropped, {len(dataset.sequences.values)} kept"
    further = sum(count for what, count in steps.items() if f"{log.name} that continue" in what)
    if wrong := _count_of_lines(log, read + further):
        return wrong
    unit = options[options.index("--time-format") + 1]
    readings = list(plain_readings(log, options))
    known = [
        Counter((text(row["user_id"]), text(row["item_id"]), seconds(row["timestamp"], unit)) for row in rows)
        for rows in readings
    ]
    made = Counter(events_of(dataset))
    if not any(not made - rows and (dropped or made == rows) for rows in known):
        return f"not what the table says: {dict(made)}"
    table = folder / options[options.index("--items") + 1] if "--items" in options else log
    wrong = "the items' table has no plain reading"
    for rows in plain_readings(table, options):
        if not (wrong := _item_differences(dataset.items, rows, options)):
            return ""
    return wrong


def _count_of_lines(log: Path, found: int) -> str:
    """Whether rows, and lines that continue rows, are all lines of a table of text but its header."""
    if log.suffix == ".parquet":
        return ""
    lines = unpacked(log).removesuffix(b"\n").split(b"\n")
    header = ".jsonl" not in log.name
    filled = sum(bool(line.strip()) for line in lines)
    return "" if filled - header <= found <= len(lines) - header else f"{found} rows of {len(lines)} lines"


def plain_readings(path: Path, options: list[str]) -> Iterator[list[Row]]:
    """The rows of a table, in each way they can be meant: quotes hold cells together, or are letters."""
    if path.suffix == ".parquet":
        from pyarrow import parquet

        file = parquet.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if not path.name.startswith("log") or name in _READ]
        yield file.read(columns=names).to_pylist()  # a damaged column that is not read does no harm
        return
    content = unpacked(path).removeprefix(b"\xef\xbb\xbf").decode()
    if ".jsonl" in path.name:
        yield [json.loads(line) for line in content.split("\n") if line.strip()]
        return
    delimiter = (
        options[options.index("--delimiter") + 1]
        if "--delimiter" in options
        else "\t"
        if ".tsv" in path.name
        else ","
    )
    letters = len(delimiter) > 1 or ("--quoting" in options and "off" in options)
    if not letters:
        table = list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter))
        if not any(None in row or None in row.values() for row in table):
            yield table
    cells = [line.rstrip("\r").split(delimiter) for line in content.split("\n") if line.rstrip("\r")]
    if letters or len({len(row) for row in cells}) == 1:
        yield [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]


def unpacked(path: Path) -> bytes:
    """The content of a file that may be packed."""
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def text(value: Any) -> str:
    """An id as an import writes it."""
    return str(value).strip()


def seconds(value: Any, unit: str) -> float:
    """A time as an import writes it."""
    if unit == "iso":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(value) / (1000 if unit == "milliseconds" else 1)


def _item_differences(items: Any, rows: list[Row], options: list[str]) -> str:
    said: dict[str, list[Row]] = {}
    for row in rows:
        said.setdefault(text(row["item_id"]), []).append(row)
    strange = [item for item in items.ids if item not in said]
    if strange:
        return f"items {strange} are not in the table"
    if "--k-core" not in options and len(said) != len(items.ids):
        return f"items {sorted(set(said) - set(items.ids))} are lost"
    for name, column in items.fields.items():
        for item_id, value in zip(items.ids, column, strict=True):
            if value is not None and not any(_means(row.get(name), value, options) for row in said[item_id]):
                return f"field {name} of {item_id} is {value!r}"
            if (
                value is None
                and any(_is_text(row.get(name), options) for row in said[item_id])
                and not _picks(options)
            ):
                return f"field {name} of {item_id} is lost"
    return ""


def _picks(options: list[str]) -> bool:
    return "--duplicate-items" in options


def _is_text(value: Any, options: list[str]) -> bool:
    words = () if "keep" in options else ("nan", "null", "None")
    return (
        isinstance(value, str)
        and bool(value.strip())
        and value.strip() not in words
        and value.strip().casefold() not in words
    )


def _means(cell: Any, value: Any, options: list[str]) -> bool:
    """Whether an item's value can come from this cell."""
    if isinstance(cell, str) and "--unescape-html" in options:
        cell = html.unescape(cell)
    if isinstance(cell, (list, tuple)):
        return (
            all(part in str(cell) or part.strip() in repr(cell) for part in value)
            if isinstance(value, list)
            else False
        )
    return cell == value


if __name__ == "__main__":
    main(check, "Fuzz imports.")
