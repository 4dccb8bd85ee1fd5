"""Nested values: chosen by a path, refused, or left out and counted, and never told as Python prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec_core import DataError
from genrec_core.data.folder import Reading, load_folder
from tests.data.imports import items_of, run, with_items

AMAZON = (
    '{"parent_asin":"a","title":"Tent &amp; peg","features":["wool",null,"red"],'
    '"categories":[["A","B"],["A"]],"images":[{"thumb":"x"}],"videos":[],"details":{"Brand":"Acme"},"price":null}\n'
    '{"parent_asin":"b","title":"Lamp","images":[],"details":{}}\n'
    '{"parent_asin":"c","title":"Mug","subtitle":"blue","images":[{"thumb":"y"}]}\n'
)


def test_nested_metadata_imports_as_texts_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    result = with_items(tmp_path, AMAZON, "--item-id-column", "parent_asin", "--unescape-html")
    assert result.exit_code == 0, result.exception
    items = items_of(tmp_path)
    assert items["a"] == {
        "title": "Tent & peg", "features": ["wool", "red"], "categories": ["A", "B", "A"], "subtitle": None,
    }  # fmt: skip
    assert items["c"]["subtitle"] == "blue"
    assert "2  nested values of column `images` left out" in result.output
    assert "2  nested values of column `details` left out" in result.output
    assert "1  texts with HTML entities, undone" in result.output


def test_a_value_inside_a_dictionary_is_chosen_by_its_path(tmp_path: Path) -> None:
    fields = ("--item-id-column", "parent_asin", "--item-field", "title=title")
    assert with_items(tmp_path, AMAZON, *fields, "--item-field", "brand=details.Brand").exit_code == 0
    assert items_of(tmp_path)["a"]["brand"] == "Acme"
    refused = with_items(tmp_path, AMAZON, *fields, "--item-field", "d=details", "--out", str(tmp_path / "x"))
    assert "field `d` holds something nested" in str(refused.exception)
    assert "brand=details.Brand" in str(refused.exception)


def test_a_path_at_which_no_row_holds_anything_is_refused(tmp_path: Path) -> None:
    fields = ("--item-id-column", "parent_asin", "--item-field", "title=title")
    refused = with_items(tmp_path, AMAZON, *fields, "--item-field", "brand=details.Brnad")
    assert "no row holds anything at `details.Brnad`, of which field `brand` is made" in str(
        refused.exception
    )
    assert "check the path: `details` is a column" in str(refused.exception)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('{"k":1}', '{"k":1}'),
        ('[["a"],null,"b"]', '[["a"],null,"b"]'),
        ('["a",null]', '["a",null]'),
        ("[1,2]", "[1,2]"),
    ],
)
@pytest.mark.parametrize("file", ["items.jsonl", "users.jsonl"])
def test_a_nested_field_of_a_folder_is_refused(make_folder, file: str, value: str, shown: str) -> None:
    lines = {
        "items.jsonl": f'{{"item_id":"a","title":"Tent","job":{value}}}\n',
        "users.jsonl": f'{{"user_id":"u1","job":{value}}}\n',
    }
    folder = make_folder({file: lines[file]})
    with pytest.raises(DataError) as refused:
        load_folder(folder)
    assert refused.value.message.startswith(f"field `job` holds something nested: `{shown}`")
    assert refused.value.where == f"{folder}/{file}:1"


def test_what_an_import_makes_of_lists_of_users_can_be_read(tmp_path: Path) -> None:
    people = '{"user_id":"u","tags":[["a"],null,"b"],"more":{"k":1}}\n'
    options = ("--users", str(tmp_path / "users.jsonl"), "--allow-empty-text")
    result = run(tmp_path, {"users.jsonl": people}, *options)
    assert "1  nested values of column `more` left out" in result.output
    attributes = load_folder(tmp_path / "out", Reading(allow_empty_text=True)).attributes
    assert attributes == {"u": {"tags": ["a", "b"]}}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{'y', 'x'}", "field `title` holds a set, whose parts have no order"),
        ("['a', {'y', 'x'}]", "field `title` holds a set, whose parts have no order"),
        ("(1+2j)", "field `title` is neither text nor number: `(1+2j)`"),
        ("...", "field `title` is neither text nor number"),
        ("b'Tent'", "field `title` holds bytes, not text"),
    ],
)
def test_a_value_of_python_that_is_no_text_is_refused(tmp_path: Path, value: str, says: str) -> None:
    lines = "".join(f"{{'item_id': '{item}', 'title': {value}}}\n" for item in "abc")
    assert says in str(with_items(tmp_path, lines).exception).replace(" (3 times)", "")


def test_a_map_of_parquet_is_a_dictionary(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    kind = pa.map_(pa.string(), pa.string())
    details = pa.array([[("Brand", "Acme")], None, [("Colour", "red")]], kind)
    path = tmp_path / "i.parquet"
    pq.write_table(pa.table({"item_id": ["a", "b", "c"], "title": ["x", "y", "z"], "details": details}), path)
    options = ("--items", str(path))
    result = run(tmp_path, {}, *options)
    assert "2  nested values of column `details` left out" in result.output
    assert items_of(tmp_path)["a"] == {"title": "x"}
    named = (
        "--item-field",
        "title=title",
        "--item-field",
        "brand=details.Brand",
        "--out",
        str(tmp_path / "x"),
    )
    assert run(tmp_path, {}, *options, *named).exit_code == 0
    twice = pa.array([[("Brand", "Acme"), ("Brand", "Emca")], None, None], kind)
    pq.write_table(pa.table({"item_id": ["a", "b", "c"], "details": twice}), path)
    refused = run(tmp_path, {}, *options, "--out", str(tmp_path / "y"))
    assert "a map has one name twice" in str(refused.exception)


def test_values_at_which_a_path_ends_early_are_counted(tmp_path: Path) -> None:
    lines = (
        '{"item_id":"a","t":"x","x":{"q":"Tent"}}\n{"item_id":"b","t":"y","x":[{"q":"Lamp"}]}\n'
        '{"item_id":"c","t":"z","x":[]}\n{"item_id":"d","t":"z","x":"Mug"}\n{"item_id":"e","t":"z"}\n'
    )
    result = with_items(tmp_path, lines, "--item-field", "t=t", "--item-field", "q=x.q")
    assert "2  values of `x` that are no dictionary, so that field `q` (`x.q`) has none" in result.output
    assert [fields["q"] for fields in items_of(tmp_path).values()] == ["Tent", None, None, None, None]
