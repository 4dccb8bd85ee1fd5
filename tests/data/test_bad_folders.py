"""Every defect of a data folder is refused with its place, its value and what to do."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from genrec_core import DataError
from genrec_core.data.folder import Reading, examine_folder, load_folder

LOG = "interactions.csv"
HEAD = "user_id,item_id,timestamp\n"


@dataclass(frozen=True)
class Bad:
    """Files that replace sound ones, and what the error must say."""

    files: dict[str, str | bytes | None]
    where: str
    says: str
    hint: str
    reading: Reading = field(default_factory=Reading)


def log(rows: str, name: str = LOG) -> dict[str, str | bytes | None]:
    return {"sequences.jsonl": None, name: rows if name.endswith("jsonl") else HEAD + rows}


def sequence(line: str) -> dict[str, str | bytes | None]:
    return {"sequences.jsonl": '{"user_id":"u1","item_ids":["a","b"]}\n' + line + "\n"}


def item(line: str) -> dict[str, str | bytes | None]:
    return {"items.jsonl": '{"item_id":"a","title":"Red tent"}\n{"item_id":"b","title":"x"}\n' + line + "\n"}


CUT_OFF = gzip.compress(b'{"user_id":"u1","item_ids":["a","b","c"]}\n' * 50)[:-12]

CASES = {
    "no items file": Bad({"items.jsonl": None}, "shop", "has no `items.jsonl`", "genrec data import"),
    "no interactions": Bad({"sequences.jsonl": None}, "shop", "neither `sequences.jsonl` nor", "add one"),
    "both kinds of interactions": Bad(
        {LOG: HEAD}, "shop", "both `sequences.jsonl` and `interactions.csv`", "keep"
    ),
    "same file twice": Bad({"items.jsonl.gz": b""}, "shop", "`items.jsonl` and `items.jsonl.gz`", "keep one"),
    "truncated gzip": Bad(
        {"sequences.jsonl": None, "sequences.jsonl.gz": CUT_OFF}, "sequences.jsonl.gz", "cut off", "copy"
    ),
    "not gzip": Bad(
        {"sequences.jsonl": None, "sequences.jsonl.gz": b"hello"},
        "sequences.jsonl.gz",
        "not a sound gzip",
        "copy",
    ),
    "not UTF-8": Bad(
        {"items.jsonl": '{"item_id":"a","title":"caf\xe9"}\n'.encode("latin1")},
        "items.jsonl:1",
        "not UTF-8",
        "UTF-8",
    ),
    "CSV not UTF-8": Bad(
        {"sequences.jsonl": None, LOG: (HEAD + "caf\xe9,a,1\n").encode("latin1")},
        f"{LOG}:2",
        "not UTF-8",
        "iconv",
    ),
    "bad JSON": Bad(sequence('{"user_id": "u2", '), "sequences.jsonl:2", 'not JSON: `{"user_id"', "complete"),
    "JSON that is no object": Bad(
        sequence('["u2"]'), "sequences.jsonl:2", 'not a JSON object: `["u2"]`', "one"
    ),
    "empty items": Bad({"items.jsonl": ""}, "items.jsonl", "file is empty", "JSON object a line"),
    "empty sequences": Bad({"sequences.jsonl": "\n"}, "sequences.jsonl", "file is empty", "JSON object"),
    "empty CSV": Bad({"sequences.jsonl": None, LOG: ""}, LOG, "file is empty", "header"),
    "CSV without rows": Bad(log(""), LOG, "header but no rows", "at least one"),
    "item id is a number": Bad(
        item('{"item_id":12,"title":"t"}'), "items.jsonl:3", "not a string: `12`", "quotes"
    ),
    "no item id": Bad(item('{"title":"t"}'), "items.jsonl:3", "row has no `item_id`", "non-empty"),
    "blank item id": Bad(
        item('{"item_id":" ","title":"t"}'), "items.jsonl:3", "has no `item_id`", "non-empty"
    ),
    "item twice": Bad(item('{"item_id":"a","title":"t"}'), "items.jsonl:3", "occurs twice: `a`", "line 1"),
    "item without text": Bad(
        item('{"item_id":"c","title":" "}'), "items.jsonl:3", "no text", "allow_empty_text: true"
    ),
    "nested field": Bad(
        item('{"item_id":"c","title":{"en":"t"}}'), "items.jsonl:3", 'nested: `{"en":"t"}`', "flatten"
    ),
    "unknown item": Bad(
        sequence('{"user_id":"u2","item_ids":["a","x9"]}'),
        "sequences.jsonl:2",
        "not in the catalogue: `x9`",
        "items.jsonl",
    ),
    "user id is a number": Bad(
        sequence('{"user_id":7,"item_ids":["a"]}'),
        "sequences.jsonl:2",
        "`user_id` is not a string: `7`",
        "quotes",
    ),
    "sequence of numbers": Bad(
        sequence('{"user_id":"u2","item_ids":["a",5]}'),
        "sequences.jsonl:2",
        "id that is not a string: `5`",
        '"12"',
    ),
    "empty sequence": Bad(
        sequence('{"user_id":"u2","item_ids":[]}'), "sequences.jsonl:2", "`item_ids` is empty", "remove"
    ),
    "sequence is no list": Bad(
        sequence('{"user_id":"u2","item_ids":"a b"}'),
        "sequences.jsonl:2",
        "not a list of item ids: `a b`",
        "at least",
    ),
    "user twice": Bad(
        sequence('{"user_id":"u1","item_ids":["a"]}'), "sequences.jsonl:2", "two sequences: `u1`", "line 1"
    ),
    "times of another length": Bad(
        sequence('{"user_id":"u2","item_ids":["a","b"],"timestamps":[1]}'),
        "sequences.jsonl:2",
        "as long as",
        "one time an item",
    ),
    "times for some users": Bad(
        sequence('{"user_id":"u2","item_ids":["a"],"timestamps":[1]}'),
        "sequences.jsonl",
        "`1 of 2`",
        "every user",
    ),
    "times go back": Bad(
        sequence('{"user_id":"u2","item_ids":["a","b"],"timestamps":[2,1]}'),
        "sequences.jsonl:2",
        "back in time: `[2,1]`",
        "sort",
    ),
    "NaN time in CSV": Bad(log("u1,a,1\nu1,b,nan\n"), f"{LOG}:3", "not a finite number: `nan`", "true time"),
    "NaN time in JSON": Bad(
        log('{"user_id":"u1","item_id":"a","timestamp":NaN}\n', "interactions.jsonl"),
        "interactions.jsonl:1",
        "not JSON",
        "NaN",
    ),
    "negative time": Bad(log("u1,a,-5\n"), f"{LOG}:2", "negative: `-5`", "1970"),
    "time is a date": Bad(
        log("u1,a,2024-05-01\n"), f"{LOG}:2", "not a number: `2024-05-01`", "--time-format iso"
    ),
    "time is a truth value": Bad(
        log('{"user_id":"u1","item_id":"a","timestamp":true}\n', "interactions.jsonl"),
        "interactions.jsonl:1",
        "`true`",
        "true time",
    ),
    "time is missing": Bad(log("u1,a,\n"), f"{LOG}:2", "row has no `timestamp`", "sequences.jsonl"),
    "missing column": Bad(
        {"sequences.jsonl": None, LOG: "user_id,item_id\nu1,a\n"},
        f"{LOG}:1",
        "no such column: `timestamp`",
        "columns are",
    ),
    "too few cells": Bad(
        log("u1,a\n"), f"{LOG}:2", "another number of cells than the header's 3: `2`", "quote"
    ),
    "unclosed quote": Bad(log('u1,"a,1\nu2,b,2\n'), f"{LOG}:3", "CSV cannot be read", "quotes"),
    "unknown item in CSV": Bad(
        log("u1,zz,1\n"), f"{LOG}:2", "not in the catalogue: `zz`", "letter by letter"
    ),
    "row repeats": Bad(
        log("u1,a,1\nu1,a,1\n"),
        f"{LOG}:3",
        "repeats an earlier one (user, item, time): `u1 a 1`",
        "drop-exact",
    ),
    "mixed tie key": Bad(
        log(
            '{"user_id":"u","item_id":"a","timestamp":1,"n":1}\n{"user_id":"u","item_id":"b","timestamp":1,"n":"x"}\n',
            "interactions.jsonl",
        ),
        "interactions.jsonl",
        "mixes kinds of values: `x`",
        "numbers in every row",
        Reading(tie_key="n"),
    ),
    "tie key without interactions": Bad(
        {}, "sequences.jsonl", "`tie_key: n`", "leave `tie_key` out", Reading(tie_key="n")
    ),
    "target unknown": Bad(
        {"test.jsonl": '{"user_id":"u","history":["a"],"target":"q"}\n'},
        "test.jsonl:1",
        "catalogue: `q`",
        "items.jsonl",
    ),
    "empty history": Bad(
        {"valid.jsonl": '{"user_id":"u","history":[],"target":"a"}\n'},
        "valid.jsonl:1",
        "`history` is empty",
        "remove the row",
    ),
    "row without target": Bad(
        {"test.jsonl": '{"user_id":"u","history":["a"]}\n'},
        "test.jsonl:1",
        "row has no `target`",
        "non-empty",
    ),
    "user described twice": Bad(
        {"users.jsonl": '{"user_id":"u1"}\n{"user_id":"u1"}\n'},
        "users.jsonl:2",
        "occurs twice: `u1`",
        "one line",
    ),
    "no such domain field": Bad(
        {}, "items.jsonl", "no field `artifacts`", "fields are: title", Reading(domain_field="artifacts")
    ),
    "item without domain": Bad(
        {
            "items.jsonl": '{"item_id":"a","title":"t","d":"x"}\n'
            '{"item_id":"b","title":"t"}\n{"item_id":"c","title":"t"}\n'
        },
        "items.jsonl",
        "2 items that users chose have no `d`, such as `b`",
        "one domain",
        Reading(domain_field="d"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_defect_is_refused_with_place_value_and_hint(case: Bad, make_folder) -> None:
    folder = make_folder(case.files)
    with pytest.raises(DataError) as caught:
        load_folder(folder, case.reading)
    error = caught.value
    assert error.where.endswith(case.where)
    assert case.says in error.message
    assert case.hint in error.hint
    assert error.exit_code == 2


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`nowhere` does not exist"):
        load_folder(tmp_path / "nowhere")


def test_a_path_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text("{}")
    with pytest.raises(DataError, match="is a file, not a data folder"):
        load_folder(tmp_path / "items.jsonl")


def test_many_bad_rows_are_counted_and_three_are_shown(make_folder) -> None:
    folder = make_folder(log("".join(f"u1,zz{n},{n}\n" for n in range(50))))
    with pytest.raises(DataError) as caught:
        load_folder(folder)
    assert "(50 times): `zz0` (line 2), `zz1` (line 3), `zz2` (line 4), …" in caught.value.message


def test_all_kinds_of_defects_are_found_at_once(make_folder) -> None:
    files = log("u1,zz,1\nu1,a,nan\nu1,a,-1\n") | {
        "test.jsonl": '{"user_id":"u","history":["a"],"target":"q"}\n',
        "users.jsonl": "oops\n",
    }
    _, problems = examine_folder(make_folder(files), Reading())
    assert [problem.where.rsplit("/", 1)[1] for problem in problems.found] == [
        f"{LOG}:2", f"{LOG}:3", f"{LOG}:4", "users.jsonl:1", "test.jsonl:1",
    ]  # fmt: skip
    with pytest.raises(DataError, match="and 4 more kinds of problem"):
        problems.refuse()


def test_a_broken_catalogue_does_not_make_every_interaction_a_defect(make_folder) -> None:
    _, problems = examine_folder(make_folder({"items.jsonl": "{\n"}), Reading())
    assert len(problems.found) == 1


def test_a_parquet_file_with_numeric_ids_is_refused(make_folder) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    folder = make_folder({"sequences.jsonl": None})
    table = pa.table({"user_id": [1], "item_id": ["a"], "timestamp": [5]})
    pq.write_table(table, folder / "interactions.parquet")
    with pytest.raises(DataError, match="`user_id` is not a string: `1`"):
        load_folder(folder)


def test_a_damaged_parquet_file_is_refused(make_folder) -> None:
    pytest.importorskip("pyarrow")
    folder = make_folder({"sequences.jsonl": None, "interactions.parquet": b"PAR1 nonsense"})
    with pytest.raises(DataError, match="not a sound Parquet file"):
        load_folder(folder)
