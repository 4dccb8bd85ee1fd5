"""Fuzzer of data folders: odd values, broken lines, broken bytes, files lost, doubled or of another kind.

    python -m tests.fuzz.folders --count 10000

An input goes through `genrec data check` and is loaded. The two must agree, and what is loaded must hold the
oracle: a second, plain reading of the same files (Python's json and csv, line by line) gives the same items,
the same interactions of each user in time order, the same rows and the same attributes.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from genrec_core.cli.data import data
from genrec_core.contracts.dataset import Dataset, EvaluationRows
from genrec_core.contracts.errors import DataError
from genrec_core.data.folder import Reading, load_folder
from genrec_core.data.row_file import repeated_rows
from tests.fuzz.common import broken_text, main

ODD: tuple[Any, ...] = (
    None, "", " ", "nan", "NULL", "None", " a", "a ", "a", "b", "A", "é", "e\u0301", "a\nb", "\x00", "\u2028",
    "\x1b[2J", "\U0001f600", 0, 1, -1, 10, 1.5, 1e30, -0.0, 2**31, 2**53 + 1, 2**63, 2**70, 1e11,
    1700000000000, "1_000", "１２", "12", "1e3", True, False, [], ["a"], ["a", "b", None], ["a", ["b"]], {},
    {"a": 1}, [[]], "NA", "N/A",
    "x" * 3000, "Tent &amp; peg", '5" nail', '"', "a,b", "a;b", "a::b", "a\tb", "\r", "9" * 400,
)  # fmt: skip
"""Values that stand where another is expected."""
WORDS = ("nan", "NaN", "None", "NULL", "null", "NA", "N/A", "n/a", "#N/A", "\\N", "(null)", "undefined")
TEXTS = (
    '"', '""', "{}", "[]", "null", "NaN", "-Infinity", '"a"', "\\u0000", "\\ud800", '"item_id":"b",', "1e999",
    "\r\n", "\n\n", "\ufeff", "," * 40, "[" * 50, "{\"a\":" * 40, "\x85", "\x1c", "\x0c",
)  # fmt: skip
BYTES = (b"\xff", b"\x00", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x1f\x8b", b"\r", b"\n", b"\xff\xfe", b"\x80")
Files = dict[str, bytes | None]
"""File name → content; None stands for a folder of that name."""


def check(draw: random.Random) -> tuple[str, Callable[[], str]]:
    """One input: a small data folder with a few things wrong, and options of the reader."""
    files = _broken(draw)
    reading = Reading(
        tie_key="n" if any("interactions" in name for name in files) and draw.random() < 0.3 else "",
        duplicates=draw.choice(("refuse", "keep", "drop-exact")),
        allow_empty_text=draw.random() < 0.5,
        domain_field=draw.choice(("", "", "", "kind")),
        missing_words=draw.choice(("refuse", "refuse", "keep", "empty")),
    )
    shown = "\n".join(f"{name}: {content!r:.2000}" for name, content in files.items())
    return f"{reading}\n{shown}", lambda: attempt(files, reading)


def sound(draw: random.Random) -> dict[str, list[dict[str, Any]]]:
    """The lines of a small sound folder by role."""
    ids = draw.sample(["a", "b", "c", "10", "9", "é", "B0 1", "x:y"], draw.choice((3, 4, 6)))
    users = draw.sample(["u1", "u2", "u3", "7", "ü"], draw.choice((1, 2, 4)))
    items = [{"item_id": item, "title": f"Thing {item}", "kind": draw.choice("KL")} for item in ids]
    for item in items[:2]:
        item.update(price=1.5, tags=["red", "blue"])
    events = [
        {"user_id": user, "item_id": draw.choice(ids), "timestamp": draw.choice((10, 20, 30.5, 40)), "n": n}
        for user in users
        for n in range(draw.choice((1, 3, 5)))
    ]
    files: dict[str, list[dict[str, Any]]] = {"items": items}
    if draw.random() < 0.5:
        files["interactions"] = draw.sample(events, len(events))
    else:
        times = draw.random() < 0.6
        files["sequences"] = [_sequence(user, events, times) for user in users]
    if draw.random() < 0.5:
        files["users"] = [{"user_id": user, "age": draw.randrange(9)} for user in users]
    for role in ("valid", "test"):
        if draw.random() < 0.4:
            rows = [(user, draw.choices(ids, k=2), draw.choice(ids)) for user in users]
            files[role] = [
                {"user_id": u, "history": history, "target": target} for u, history, target in rows
            ]
    return files


def _sequence(user: str, events: list[dict[str, Any]], times: bool) -> dict[str, Any]:
    own = sorted(
        (event for event in events if event["user_id"] == user), key=lambda event: event["timestamp"]
    )
    line = {"user_id": user, "item_ids": [event["item_id"] for event in own]}
    return line | ({"timestamps": [event["timestamp"] for event in own]} if times else {})


def _broken(draw: random.Random) -> Files:
    tables = sound(draw)
    if draw.random() < 0.7:
        for _ in range(draw.choice((1, 1, 1, 2))):
            break_record(draw.choice(list(tables.values())), draw)
    as_csv = "interactions" in tables and draw.random() < 0.5
    files: Files = {}
    for role, lines in tables.items():
        if as_csv and role == "interactions":
            files["interactions.csv"] = csv_of(lines, ",")
        else:
            files[f"{role}.jsonl"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    for _ in range(draw.choice((0, 0, 0, 1, 1, 2))):
        name = draw.choice(list(files))
        content = files[name] or b""
        files[name] = draw.choice((broken_bytes, broken_letters))(content, draw)
    for name in [name for name in files if draw.random() < 0.15]:
        files[f"{name}.gz"] = broken_gzip(files.pop(name) or b"", draw)
    if draw.random() < 0.07:
        _misplace(files, draw)
    return files


def break_record(lines: list[dict[str, Any]], draw: random.Random) -> None:
    """Spoil one of the lines, or which lines there are."""
    if not lines:
        return
    place = draw.randrange(len(lines))
    name = draw.choice(list(lines[place]) or ["title"])
    how = draw.randrange(7)
    if how < 4:
        value = lines[place].get(name)
        inner = isinstance(value, list) and value and draw.random() < 0.7
        lines[place][name] = [*value[:-1], draw.choice(ODD)] if inner else draw.choice(ODD)
    elif how == 4:
        lines[place].pop(name, None)
    elif how == 5:
        lines[place][draw.choice(("item_id", "user_id", "title", "timestamp", "", "new", "a.b"))] = (
            draw.choice(ODD)
        )
    else:
        lines.insert(draw.randrange(len(lines) + 1), dict(lines[place]))


def csv_of(lines: list[dict[str, Any]], delimiter: str) -> bytes:
    """The lines as a table of text; absent values are empty cells."""
    names = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["" if line.get(name) is None else line[name] for name in names] for line in lines])
    return out.getvalue().encode("utf-8", "surrogatepass")


def broken_letters(content: bytes, draw: random.Random) -> bytes:
    """The content after slips of the keyboard."""
    text = broken_text(content.decode("utf-8", "surrogateescape"), TEXTS, draw)
    return text.encode("utf-8", "surrogateescape")


def broken_bytes(content: bytes, draw: random.Random) -> bytes:
    """The content with bytes put in, taken out or cut off."""
    place = draw.randrange(len(content) + 1)
    return draw.choice((
        content[:place] + draw.choice(BYTES) + content[place:],
        content[:place] + draw.choice(BYTES) + content[place + 1 :],
        content[:place],
        draw.choice(BYTES) + content,
        content.replace(b"\n", b"\r\n"),
        content.removesuffix(b"\n"),
    ))  # fmt: skip


def broken_gzip(content: bytes, draw: random.Random) -> bytes:
    """The content packed, sometimes damaged."""
    packed = gzip.compress(content, mtime=0)
    if draw.random() < 0.8:
        return packed
    place = draw.randrange(len(packed))
    flipped = bytes([packed[place] ^ 1 << draw.randrange(8)])
    return draw.choice((packed[:place], packed[:place] + flipped + packed[place + 1 :], packed * 2, content))


def _misplace(files: Files, draw: random.Random) -> None:
    name = draw.choice(list(files))
    content = files.pop(name)
    other = draw.choice(("", "items.jsonl", "interactions.csv", "sequences.jsonl", "test.jsonl.gz", "x.txt"))
    if other:
        files[other] = content if draw.random() < 0.7 else None


def attempt(files: Files, reading: Reading) -> str:
    """Check and load a folder; what the oracle has against one that was accepted."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "shop"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).mkdir() if content is None else (folder / name).write_bytes(content)
        if wrong := _checked(folder, reading):
            return wrong
        return differences(load_folder(folder, reading), folder, reading)


def _checked(folder: Path, reading: Reading) -> str:
    """What is wrong with the answer of `genrec data check`; it must be the one of loading."""
    options = [
        "--tie-key",
        reading.tie_key,
        "--duplicates",
        reading.duplicates,
        "--domain-field",
        reading.domain_field,
    ]
    options += ["--missing-words", reading.missing_words]
    options += ["--allow-empty-text"] * reading.allow_empty_text
    result = CliRunner().invoke(data, ["check", str(folder), "--json", *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    try:
        loaded = load_folder(folder, reading)
    except DataError as error:
        listed = [problem["message"] for problem in json.loads(result.stdout)["problems"]]
        if result.exit_code != 2 or not any(error.message.startswith(message) for message in listed):
            return f"loading says {error.message}, checking {listed}"
        return ""
    refused = 2 if repeated_rows(loaded.valid, loaded.test) else 0
    return "" if result.exit_code == refused else f"it loads, and checking ends with {result.exit_code}"


def differences(dataset: Dataset, folder: Path, reading: Reading) -> str:
    """In what a loaded folder differs from a plain reading of its files; empty when it is the same."""
    lines = {
        role: list(plain_lines(folder, role)) for role in ("items", "sequences", "interactions", "users")
    }
    ids = dataset.items.ids
    if list(ids) != [line["item_id"] for line in lines["items"]]:
        return f"the items are {ids}"
    for name, column in dataset.items.fields.items():
        if not same(column, [settled(line.get(name), reading) for line in lines["items"]]):
            return f"field {name} is {column}"
    events: list[tuple[str, str, float | None]] = []
    for line in lines["sequences"]:
        times = line.get("timestamps") or [None] * len(line["item_ids"])
        moments = [None if time is None else float(time) for time in times]
        events += [(line["user_id"], *pair) for pair in zip(line["item_ids"], moments, strict=True)]
    events += [(line["user_id"], line["item_id"], float(line["timestamp"])) for line in lines["interactions"]]
    expected = Counter(dict.fromkeys(events, 1) if _drops(reading, lines) else events)
    if found := _unlike(Counter(events_of(dataset)), expected):
        return found
    attributes = {user.pop("user_id"): user for user in lines["users"]}
    if dataset.attributes != {
        u: {k: settled(v, reading) for k, v in a.items()} for u, a in attributes.items()
    }:
        return f"the attributes are {dataset.attributes}"
    for role, rows in (("valid", dataset.valid), ("test", dataset.test)):
        plain = [(row["user_id"], row["history"], row["target"]) for row in plain_lines(folder, role)]
        if plain != _rows(rows, ids):
            return f"the {role} rows are {_rows(rows, ids)}"
    return ""


def settled(value: Any, reading: Reading) -> Any:
    """A field's value after the reader's policy for words that stand for a missing value."""
    if reading.missing_words != "empty":
        return value
    if isinstance(value, list):
        return [part for part in value if settled(part, reading) is not None or part is None]
    return None if isinstance(value, str) and value.strip() in WORDS else value


def _drops(reading: Reading, lines: dict[str, list[dict[str, Any]]]) -> bool:
    return reading.duplicates == "drop-exact" and bool(lines["interactions"])


def _unlike(found: Counter[Any], expected: Counter[Any]) -> str:
    more, fewer = found - expected, expected - found
    return f"not in the files: {dict(more)}; only in the files: {dict(fewer)}" if more or fewer else ""


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, kinds of numbers apart; `True` is no number."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and type(one) is not type(other):
        return bool not in (type(one), type(other)) and float(one) == float(other)
    return type(one) is type(other) and one == other


def events_of(dataset: Dataset) -> Iterator[tuple[str, str, float | None]]:
    """Every (user, item, time) of a data set."""
    for row, user in enumerate(dataset.users):
        start, end = dataset.sequences.offsets[row : row + 2]
        times = [None] * (end - start) if dataset.times is None else dataset.times[start:end].tolist()
        if dataset.times is not None and times != sorted(times):
            yield user, "goes back in time", None
        for item, time in zip(dataset.sequences.row(row), times, strict=True):
            yield user, dataset.items.ids[item], time


def _rows(rows: EvaluationRows | None, ids: tuple[str, ...]) -> list[tuple[str, list[str], str]]:
    if rows is None:
        return []
    histories = [[ids[item] for item in rows.histories.row(index)] for index in range(len(rows))]
    return [(u, history, ids[t]) for u, history, t in zip(rows.users, histories, rows.targets, strict=True)]


def plain_lines(folder: Path, role: str) -> Iterator[dict[str, Any]]:
    """The lines of a file by role, read as plainly as can be; nothing when there is no such file."""
    for path in sorted(folder.glob(f"{role}.*")):
        name = path.name.removesuffix(".gz")
        if name not in (f"{role}.jsonl", "interactions.csv") or not path.is_file():
            continue
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
        if name.endswith(".csv"):
            table = csv.DictReader(io.StringIO(text, newline=""))
            yield from (dict(row) for row in table)
            continue
        for line in text.split("\n"):
            if line.strip(" \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85"):
                yield json.loads(line, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise AssertionError(f"a name twice was accepted: {pairs}")
    return dict(pairs)


if __name__ == "__main__":
    main(check, "Fuzz data folders.")
