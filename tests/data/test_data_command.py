"""`genrec data`: what is printed, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from genrec_core.cli.data import data


def test_an_imported_table_passes_the_check(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "user,thing,at,name\n" + "".join(f"u{n % 3},i{n % 4},{n},Thing {n % 4}\n" for n in range(30))
    )
    out = tmp_path / "shop"
    arguments = ["--user-column", "user", "--item-column", "thing", "--time-column", "at", "--k-core", "2"]
    made = CliRunner().invoke(
        data,
        ["import", str(tmp_path / "log.csv"), "--out", str(out), *arguments, "--item-field", "title=name"],
    )
    assert made.exit_code == 0, made.output
    assert "3 users, 4 items, 30 interactions" in made.output
    checked = CliRunner().invoke(data, ["check", str(out)])
    assert checked.exit_code == 0
    assert "no problems" in checked.output
    assert "core/leave-one-out  21 train, 3 valid, 3 test rows" in checked.output
    assert "core/rows           not possible: the data has no valid rows" in checked.output


def test_a_check_lists_every_problem_and_exits_with_two(make_folder) -> None:
    files = {
        "sequences.jsonl": '{"user_id":"u1","item_ids":["zz"]}\n{"user_id":2,"item_ids":["a"]}\n',
        "test.jsonl": '{"user_id":"u","history":[],"target":"a"}\n',
    }
    folder = str(make_folder(files))
    checked = CliRunner().invoke(data, ["check", folder])
    assert checked.exit_code == 2
    for place in ("sequences.jsonl:1", "sequences.jsonl:2", "test.jsonl:1"):
        assert place in checked.output
    assert "3 kinds of problem" in checked.output
    found = json.loads(CliRunner().invoke(data, ["check", folder, "--json"]).stdout)["problems"]
    assert [problem["count"] for problem in found] == [1, 1, 1]


def test_a_check_of_no_folder_exits_with_two(tmp_path: Path) -> None:
    checked = CliRunner().invoke(data, ["check", str(tmp_path / "none")])
    assert checked.exit_code == 2
    assert "`none` does not exist" in checked.output


def test_the_json_summary_has_the_figures(make_folder) -> None:
    result = CliRunner().invoke(data, ["check", str(make_folder({})), "--json"])
    summary = json.loads(result.stdout)["summary"]
    assert (summary["users"], summary["items"], summary["interactions"]) == (2, 3, 5)
    assert summary["length"] == {"shortest": 2, "median": 2.5, "longest": 3}
    assert summary["users_with_fewer_than_three"] == 1
    assert summary["text"] == {"title": 1.0}
    assert summary["ties"] is None


def test_a_field_without_a_column_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        data, ["import", "x.csv", "--out", str(tmp_path / "o"), "--item-field", "title"]
    )
    assert "`--item-field title` is not a name and a value" in str(result.exception)
