"""Lines that hold no row: passed over, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from genrec_core.cli.data import data
from genrec_core.data.folder import load_folder
from tests.data.imports import run

CSV = "user_id,item_id,timestamp,title\n{}u,a,1,t\n{}u,b,2,t\nu,c,3,t\n{}"
JSONL = (
    '{}{{"user_id":"u","item_id":"a","timestamp":1,"title":"t"}}\n{}'
    '{{"user_id":"u","item_id":"b","timestamp":2,"title":"t"}}\n'
    '{{"user_id":"u","item_id":"c","timestamp":3,"title":"t"}}\n{}'
)
PRINTED = "{}{{'user_id': 'u', 'item_id': 'a', 'timestamp': 1, 'title': 't'}}\n{}{}"


@pytest.mark.parametrize(("name", "text"), [("log.csv", CSV), ("log.jsonl", JSONL)])
@pytest.mark.parametrize(
    ("blanks", "count"),
    [
        (("\n", "\n", ""), 2),
        (("", "\n\n", "\n"), 2),
        (("", "", "\n"), 0),
        (("", "", "\n\n"), 2),
        (("",) * 3, 0),
    ],
)
def test_blank_lines_are_counted_but_for_one_at_the_end(
    tmp_path: Path, name: str, text: str, blanks: tuple[str, ...], count: int
) -> None:
    result = run(tmp_path, {name: text.format(*blanks)}, "--item-field", "title=title", log=name)
    assert result.exit_code == 0, result.exception
    assert "3  interactions read" in result.output
    assert result.output.count(f"           {count}  blank lines of {name}, passed over") == bool(count)
    assert result.output.count("blank lines") == bool(count)


def test_blank_lines_without_quoting_are_counted(tmp_path: Path) -> None:
    options = ("--item-field", "title=title", "--quoting", "off")
    result = run(tmp_path, {"log.csv": CSV.format("", "\n\n", "")}, *options)
    assert "2  blank lines of log.csv, passed over" in result.output


def test_blank_lines_of_a_quoted_cell_are_the_cell_s(tmp_path: Path) -> None:
    text = 'user_id,item_id,timestamp,title\nu,a,1,"Red\n\ntent"\n'
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=title")
    assert result.exit_code == 0, result.exception
    assert "blank lines" not in result.output


def test_a_header_with_blank_lines_alone_has_no_rows(tmp_path: Path) -> None:
    result = run(tmp_path, {"log.csv": "user_id,item_id,timestamp\n\n\n"}, "--allow-empty-text")
    assert "table has a header but no rows" in str(result.exception)


def test_blank_lines_of_a_folder_are_a_note(make_folder) -> None:
    text = '{"item_id":"a","title":"x"}\n\n{"item_id":"b","title":"y"}\n{"item_id":"c","title":"z"}\n\n'
    folder = make_folder({"items.jsonl": text})
    assert load_folder(folder).notes == ("1 blank lines of items.jsonl, passed over",)
    checked = CliRunner().invoke(data, ["check", str(folder)])
    assert "note: 1 blank lines of items.jsonl, passed over" in checked.output


def test_lines_of_python_s_dictionaries_are_counted_once(tmp_path: Path) -> None:
    text = PRINTED.format("", "", "")
    result = run(tmp_path, {"log.json": text}, "--item-field", "title=title", log="log.json")
    assert "           1  lines of log.json that are Python's dictionaries, not JSON" in result.output
