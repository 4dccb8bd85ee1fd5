"""Importing tables: what is kept, what is left out, and that both are said."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec_core import Context, DataError, GenrecError
from genrec_core.builtin.synthetic import Synthetic
from genrec_core.data import folder_writer
from genrec_core.data.events import Columns
from genrec_core.data.folder import load_folder
from genrec_core.data.folder_writer import write_folder
from genrec_core.data.importing import ImportReport, ImportRules, import_table, k_core
from genrec_core.data.item_table import ItemColumns
from genrec_core.data.tables import TableFormat

TITLES = ItemColumns(fields={"title": "title"})


def imported(
    tmp_path: Path, text: str, rules: ImportRules, name: str = "log.csv"
) -> tuple[dict, ImportReport]:
    table = tmp_path / name
    table.write_text(text)
    report = import_table(table, tmp_path / "out", rules)
    dataset = load_folder(tmp_path / "out")
    rows = {
        user: [dataset.items.ids[item] for item in dataset.sequences.row(row)]
        for row, user in enumerate(dataset.users)
    }
    return rows, report


def test_a_table_with_its_own_column_names_becomes_a_folder(tmp_path: Path) -> None:
    text = (
        "who;what;when;name\n1;7;2024-01-02;Red Tent\n1;8;2024-01-01;Lamp\n2;7;2024-01-05T10:00:00;Red Tent\n"
    )
    rules = ImportRules(
        Columns("who", "what", "when"),
        ItemColumns(fields={"title": "name"}),
        time_format="iso",
        written=TableFormat(";"),
    )
    rows, report = imported(tmp_path, text, rules)
    assert rows == {"1": ["8", "7"], "2": ["7"]}
    assert (report.users, report.items, report.interactions) == (2, 2, 3)
    assert load_folder(tmp_path / "out").times.tolist() == [1704067200, 1704153600, 1704448800]


def test_numbers_as_ids_become_strings_and_are_counted(tmp_path: Path) -> None:
    text = '{"user_id":1,"item_id":12,"timestamp":5,"title":"t"}\n'
    text += '{"user_id":"b","item_id":"x","timestamp":6,"title":"t"}\n'
    rows, report = imported(tmp_path, text, ImportRules(items=TITLES), "log.jsonl")
    assert rows == {"1": ["12"], "b": ["x"]}
    assert ("ids that were numbers, now strings", 2) in report.steps


@pytest.mark.parametrize(
    ("dedupe", "row", "dropped"),
    [("keep-all", ["a", "b", "a"], 0), ("keep-first", ["a", "b"], 1), ("keep-last", ["b", "a"], 1)],
)
def test_repeated_interactions_follow_the_rule(tmp_path: Path, dedupe, row: list[str], dropped: int) -> None:
    text = "user_id,item_id,timestamp,title\nu,a,30,t\nu,b,20,t\nu,a,10,t\n"
    rows, report = imported(tmp_path, text, ImportRules(items=TITLES, dedupe=dedupe))
    assert rows == {"u": row}
    assert sum(count for what, count in report.steps if "dropped" in what) == dropped


def test_a_tie_key_orders_events_of_one_moment(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,n,title\nu,a,5,2,t\nu,b,5,1,t\n"
    rules = ImportRules(Columns(tie="n"), TITLES)
    rows, report = imported(tmp_path, text, rules)
    assert rows == {"u": ["b", "a"]}
    assert ("interactions ordered by tie key or file order (same user and time)", 2) in report.steps


def test_k_core_takes_out_users_and_items_until_none_is_rare(tmp_path: Path) -> None:
    pairs = [("u1", "a"), ("u1", "b"), ("u2", "a"), ("u2", "b"), ("u3", "b"), ("u3", "c")]
    text = "user_id,item_id,timestamp,title\n" + "".join(f"{u},{i},{n},t\n" for n, (u, i) in enumerate(pairs))
    rows, report = imported(tmp_path, text, ImportRules(items=TITLES, least_user=2, least_item=2))
    assert rows == {"u1": ["a", "b"], "u2": ["a", "b"]}
    assert ("interactions of rare users or items dropped", 2) in report.steps
    assert ("items with too few interactions dropped", 1) in report.steps


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40), st.integers(1, 4))
def test_k_core_is_the_largest_part_in_which_nobody_is_rare(pairs: list[tuple[int, int]], k: int) -> None:
    user, item = (np.array([pair[side] for pair in pairs], dtype=np.int32) for side in (0, 1))
    kept = {place for place, stays in enumerate(k_core(user, item, k, k)) if stays}
    left = set(range(len(pairs)))
    while True:  # the plain definition: take out one offending interaction after the other
        rare = next(
            (p for p in left if any(sum(pairs[q][s] == pairs[p][s] for q in left) < k for s in (0, 1))), None
        )
        if rare is None:
            break
        left.discard(rare)
    assert kept == left


def test_an_item_table_gives_all_its_columns(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("asin,name,brand\na,Tent,X\nb,Lamp,\nz,Never chosen,Y\n")
    rules = ImportRules(items=ItemColumns(tmp_path / "items.csv", "asin"))
    _, report = imported(tmp_path, "user_id,item_id,timestamp\nu,b,1\nu,a,2\n", rules)
    items = load_folder(tmp_path / "out").items
    assert items.ids == ("a", "b", "z")
    assert items.fields["brand"] == ["X", None, "Y"]
    assert ("items without any interaction kept", 1) in report.steps


def test_interactions_with_unknown_items_are_refused_or_dropped_by_choice(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\na,Tent\n")
    text = "user_id,item_id,timestamp\nu,a,1\nu,q,2\nv,q,3\n"
    columns = ItemColumns(tmp_path / "items.csv")
    with pytest.raises(DataError) as caught:
        imported(tmp_path, text, ImportRules(items=columns))
    assert "not in the item table (2 times): `q` (line 3), `q` (line 4)" in caught.value.message
    rows, report = imported(tmp_path, text, ImportRules(items=columns, unknown_items="drop"))
    assert rows == {"u": ["a"]}
    assert ("interactions with unknown items dropped", 2) in report.steps


def test_a_later_row_fills_a_missing_text_and_contradictions_are_counted(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,title\nu,a,1,\nv,a,2,Tent\nw,a,3,Tents\n"
    _, report = imported(tmp_path, text, ImportRules(items=TITLES))
    assert load_folder(tmp_path / "out").items.fields["title"] == ["Tent"]
    assert ("items whose rows differ in text (the first text stands)", 1) in report.steps


HEAD = "user_id,item_id,timestamp,title\n"


@pytest.mark.parametrize(
    ("text", "rules", "says", "hint"),
    [
        (HEAD + "u,a,x,t\n", ImportRules(items=TITLES), "not a number: `x`", "--time-format iso"),
        (
            HEAD + "u,a,May,t\n",
            ImportRules(items=TITLES, time_format="iso"),
            "not an ISO date: `May`",
            "2024-05-01",
        ),
        (HEAD + ",a,1,t\n", ImportRules(items=TITLES), "row has no `user_id`", "non-empty"),
        (HEAD + "u,a,1,t\n", ImportRules(), "items need a text", "--item-field title=COLUMN"),
        (HEAD + "u,a,1,\n", ImportRules(items=TITLES), "no text in any field: `a`", "--allow-empty-text"),
        (
            HEAD + "u,a,1,t\n",
            ImportRules(Columns("who"), TITLES),
            "no such column: `who`",
            "columns are: user_id",
        ),
        (
            HEAD + "u,a,1,t\n",
            ImportRules(items=ItemColumns(fields={"title": "name"})),
            "column: `name`",
            "columns",
        ),
        (HEAD + "u,a,1,t\n", ImportRules(items=TITLES, least_user=2), "no interaction is left", "--min-user"),
    ],
)
def test_what_cannot_be_imported_is_refused(
    tmp_path: Path, text: str, rules: ImportRules, says: str, hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        imported(tmp_path, text, rules)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_decimal_id_is_refused(tmp_path: Path) -> None:
    text = '{"user_id":1.0,"item_id":"a","timestamp":5,"title":"t"}\n'
    with pytest.raises(DataError, match="`user_id` is a decimal number"):
        imported(tmp_path, text, ImportRules(items=TITLES), "log.jsonl")


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="`out` exists already"):
        imported(tmp_path, HEAD + "u,a,1,t\n", ImportRules(items=TITLES))


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenrecError, match=r"cannot tell the format of `log\.xlsx`"):
        imported(tmp_path, "", ImportRules(items=TITLES), "log.xlsx")


def test_an_absent_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="file cannot be read: `No such file"):
        import_table(tmp_path / "absent.csv", tmp_path / "out", ImportRules(items=TITLES))


def test_a_parquet_table_is_imported(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"user_id": [1, 1], "item_id": [5, 6], "timestamp": [2, 1], "tags": [["x"], ["y", "z"]]})
    pq.write_table(table, tmp_path / "log.parquet")
    report = import_table(
        tmp_path / "log.parquet", tmp_path / "out", ImportRules(items=ItemColumns(fields={"tags": "tags"}))
    )
    dataset = load_folder(tmp_path / "out")
    assert dataset.items.fields["tags"] == [["x"], ["y", "z"]]
    assert [dataset.items.ids[item] for item in dataset.sequences.values] == ["6", "5"]
    assert ("ids that were numbers, now strings", 4) in report.steps


def test_written_data_reads_back_and_has_the_same_bytes_twice(tmp_path: Path) -> None:
    made = Synthetic(items=240, users=40).load(Context())
    for run in ("one", "two"):
        write_folder(made, tmp_path / run)
    back = load_folder(tmp_path / "one")
    assert np.array_equal(back.sequences.values, made.sequences.values)
    assert np.array_equal(back.times, made.times)
    assert back.items.ids == made.items.ids
    for name in ("items.jsonl.gz", "sequences.jsonl.gz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_dates_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,title\nu,a,02.01.1970 00:00,A\nu,b,01.01.1970 01:00,B\n"
    rows, _ = imported(tmp_path, text, ImportRules(items=TITLES, time_format="%d.%m.%Y %H:%M"))
    assert rows == {"u": ["b", "a"]}
    assert load_folder(tmp_path / "out").times.tolist() == [3600, 86400]
    with pytest.raises(DataError, match=r"`timestamp` is not written as `%Y`.*log.csv:2|log.csv:2.*`%Y`"):
        imported(tmp_path / "out", text, ImportRules(items=TITLES, time_format="%Y"))


def test_low_ratings_are_left_out_and_counted(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,stars,title\nu,a,1,4,A\nu,b,2,3.5,B\nu,c,3,5,C\n"
    rules = ImportRules(Columns(rating="stars"), TITLES, least_rating=4)
    rows, report = imported(tmp_path, text, rules)
    assert rows == {"u": ["a", "c"]}
    assert ("rows with `stars` below 4, left out", 1) in report.steps
    with pytest.raises(DataError, match="`stars` is not a number"):
        imported(tmp_path / "out", text.replace("3.5", "good"), rules)


def test_a_user_table_becomes_attributes_and_flags_become_a_list(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title,Drama,Comedy\na,A,1,0\nb,B,1,1\nc,C,0,0\n")
    (tmp_path / "users.csv").write_text("user_id|age\nu|31\nnobody|12\n")
    items = ItemColumns(tmp_path / "items.csv", flags={"genres": ("Drama", "Comedy")})
    users = ItemColumns(
        tmp_path / "users.csv", "user_id", allow_empty_text=True, written=TableFormat(delimiter="|")
    )
    text = "user_id,item_id,timestamp\nu,a,1\nu,b,2\n"
    _, report = imported(tmp_path, text, ImportRules(items=items, users=users))
    dataset = load_folder(tmp_path / "out")
    assert dataset.attributes == {"u": {"age": "31"}}
    assert dataset.items.fields["genres"] == [["Drama"], ["Drama", "Comedy"], None]
    assert list(dataset.items.fields) == ["title", "genres"]
    assert ("rows of the user table without any interaction left out", 1) in report.steps


def test_lines_of_python_s_dictionaries_are_read_counted_and_never_run(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(
        "{'asin': 'a', 'title': \"Bo's tent\"}\n{'asin': 'b', 'title': 'L'}\n"
    )
    items = ItemColumns(tmp_path / "meta.json", "asin", {"title": "title"})
    text = "user_id,item_id,timestamp\nu,a,1\nu,b,2\n"
    _, report = imported(tmp_path, text, ImportRules(items=items))
    assert load_folder(tmp_path / "out").items.fields["title"] == ["Bo's tent", "L"]
    assert ("lines of meta.json that are Python's dictionaries, not JSON", 2) in report.steps
    (tmp_path / "meta.json").write_text("__import__('os').system('touch x')\n")
    with pytest.raises(DataError, match="line is not JSON"):
        imported(tmp_path / "out", text, ImportRules(items=items))


@pytest.mark.parametrize(
    "line",
    [
        '{"asin": "b", "title": "L", "price": +1.5}',
        '{"asin": "b", "title": "L\\1"}',
        '{"asin": "b", "title": None}',
        '{"asin": "b", "asin": "c", "price": +1.5}',
        "{'asin': 'b', 'title': 'L', 'asin': 'c'}",
        "{'asin': 'b', 'title': 'L', 'd': {'x': 1, 'x': 2}}",
        "{'asin': 'b', 'title': " + "[" * 40 + "]" * 40 + "}",
        "{'asin': 'b', 'title': open('x')}",
        "{['asin']: 'b'}",
    ],
)
def test_json_with_a_slip_is_no_python_and_python_repeats_no_name(tmp_path: Path, line: str) -> None:
    (tmp_path / "meta.jsonl").write_text('{"asin": "a", "title": "T"}\n' + line + "\n")
    items = ItemColumns(tmp_path / "meta.jsonl", "asin", {"title": "title"})
    with pytest.raises(DataError, match=r"meta.jsonl:2: line is not JSON"):
        imported(tmp_path, "user_id,item_id,timestamp\nu,a,1\nu,a,2\n", ImportRules(items=items))


def test_what_a_killed_import_left_is_swept_after_a_day_and_no_other_files(tmp_path: Path) -> None:
    made = Synthetic(items=240, users=10).load(Context(seed=1))
    long_ago = time.time() - 25 * 3600
    for name, age in ((".import-old", long_ago), (".import-new", time.time()), ("mine", long_ago)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "items.jsonl.gz").write_bytes(b"half")
        os.utime(tmp_path / name, (age, age))
    write_folder(made, tmp_path / "data")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".import-new", "data", "mine"]


def test_an_import_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    made = Synthetic(items=240, users=10).load(Context(seed=1))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder_writer, "write_records", full)
    with pytest.raises(OSError, match="No space left"):
        write_folder(made, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []
