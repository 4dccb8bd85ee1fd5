"""Many users into a file: sources, formats, going on after a kill, and what is refused."""

from __future__ import annotations

import csv
import json

import pytest

from genrec_core import GenrecError
from genrec_core.api import batch
from genrec_core.api.answering import Answering
from genrec_core.api.histories import Histories
from genrec_core.api.table import Table
from genrec_core.api.user_rows import UserTable, user_rows


def read(path):
    if path.suffix == ".csv":
        with path.open() as file:
            return [{**row, "rank": int(row["rank"])} for row in csv.DictReader(file)]
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_all_users_of_the_data_in_parts_that_are_joined(quick, tmp_path, ending):
    out = tmp_path / f"recs.{ending}"
    written = quick.recommend_users(k=3, out=out, fields=["title"], batch=7)
    assert (written.users, written.rows, written.popular, written.short) == (20, 60, 0, 0)
    rows = read(out)
    assert list(rows[0]) == ["user", "rank", "item", "score", "how", "title"]
    expected = quick.recommend(users=quick.users, k=3)
    assert [(row["user"], row["item"], row["title"]) for row in rows] == list(
        zip(expected["user"], expected["item"], expected["title"], strict=True)
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name]
    with pytest.raises(GenrecError, match=r"`.*recs\..*` exists already"):
        quick.recommend_users(out=out)
    assert quick.recommend_users(k=1, out=out, overwrite=True).rows == 20


def test_a_killed_job_goes_on_behind_its_last_part(quick, tmp_path, monkeypatch):
    out, asked = tmp_path / "recs.jsonl", []
    answers = Answering.answers

    def dies(self, requests, k):
        asked.append(len(requests))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return answers(self, requests, k)

    monkeypatch.setattr(Answering, "answers", dies)
    with pytest.raises(KeyboardInterrupt):
        quick.recommend_users(k=3, out=out, batch=6)
    assert not out.exists()
    with pytest.raises(GenrecError, match=r"parts of an interrupted call with other k\n"):
        quick.recommend_users(k=4, out=out, batch=6)
    with pytest.raises(GenrecError, match="an interrupted call with other rules"):
        quick.recommend_users(k=3, out=out, batch=6, exclude=["i1"])
    written = quick.recommend_users(k=3, out=out, batch=6)
    assert asked == [6, 6, 6, 6, 2], "the first two parts are not asked for again"
    assert written.resumed == 12
    assert "12 of them were there" in str(written)
    monkeypatch.undo()
    quick.recommend_users(k=3, out=tmp_path / "whole.jsonl")
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_two_processes_do_not_write_one_file(quick, tmp_path):
    (tmp_path / "recs.csv.parts").mkdir()
    with (
        batch.FileLock(tmp_path / "recs.csv.parts" / ".lock"),
        pytest.raises(GenrecError, match="another process is writing"),
    ):
        quick.recommend_users(out=tmp_path / "recs.csv")


INTERACTIONS = {
    "user_id": ["b", "a", "b", "a", "c"],
    "item_id": ["i4", "i1", "i3", "i2", "i9"],
    "timestamp": [20, 10, 10, 20, 5],
}


def test_interactions_become_histories_in_order_of_time(quick, tmp_path):
    lines = [
        ",".join(INTERACTIONS),
        *(",".join(map(str, row)) for row in zip(*INTERACTIONS.values(), strict=True)),
    ]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    expected = quick.recommend([["i3", "i4"], ["i1", "i2"], ["i9"]], k=2, users=["b", "a", "c"], fields=[])
    for source in (tmp_path / "log.csv", Table(INTERACTIONS)):
        found = quick.recommend_users(source, k=2)
        assert found.columns == expected.columns
    unordered = Table({name: INTERACTIONS[name] for name in ("user_id", "item_id")})
    assert quick.recommend_users(unordered, k=1).items(0) == ["i4"], "without times rows are in order"


def test_whole_histories_and_users_alone(quick, tmp_path):
    lists = tmp_path / "users.jsonl"
    rows = [{"user_id": "a", "item_ids": ["i1", "i2"]}, {"user_id": 7, "item_ids": []}]
    lists.write_text("".join(json.dumps(row) + "\n" for row in rows))
    expected = quick.recommend([["i1", "i2"], []], k=2, users=["a", "7"], fields=[])
    assert quick.recommend_users(lists, k=2).columns == expected.columns
    texts = Table({"user_id": ["a", "7"], "item_ids": ["i1,i2", None]})
    assert quick.recommend_users(texts, k=2).columns == expected.columns
    known = quick.recommend(users=["u3", "u1"], k=2, fields=[])
    for source in (["u3", "u1"], Table({"user_id": ["u3", "u1"]})):
        assert quick.recommend_users(source, k=2).columns == known.columns


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": ["a"]}, r"users: there is no column `user_id`\n  → columns are: name"),
        ({"user_id": ["u1", "x1", "x2"]}, r"users:2: the run's data does not know the user \(2 times\)"),
        (
            {"user_id": ["a", "a", "b"], "item_id": ["i1", "x1", "x2"]},
            r"users:2: item is not in the catalogue \(2 times\): `x1` \(line 2\), `x2` \(line 3\)",
        ),
        (
            {"user_id": ["a"], "item_ids": ["i1"], "item_id": ["i2"]},
            "users: there are two columns of items, `item_ids` and `item_id`\n  → leave one out",
        ),
        ({"user_id": ["a"], "item_ids": [3.5]}, "users:1: `item_ids` is no list of ids: `3.5`"),
        ({"user_id": ["a"], "item_ids": [True]}, "users:1: `item_ids` is no list of ids: `true`"),
        ({"user_id": ["a", "a"], "item_ids": ["i1", "i2"]}, "users:2: user has two rows: `a`"),
        ({"user_id": ["a", None], "item_id": ["i1", "i2"]}, "users:2: row has no `user_id`"),
        ({"user_id": ["a"], "item_id": ["i1"], "timestamp": ["soon"]}, "`timestamp` is not a number: `soon`"),
        (
            {"user_id": ["a", "a"], "item_id": ["i1", "i2"], "timestamp": [1_700_000_000, 1_700_000]},
            "users: times lie between 1970 and 2023, as if units were mixed\n  → bring all to one unit",
        ),
        ({"user_id": ["a", "nan"]}, "users:2: `user_id` is a word for a missing value: `nan`"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_with_counts(quick, table, message):
    with pytest.raises(GenrecError, match=message):
        quick.recommend_users(Table(table))


def cells(*written):
    return Table({"user_id": [f"u{row}" for row in range(len(written))], "item_ids": list(written)})


COMMAS = {"1": 0, "2": 1, "1,2": 2, "tent, red": 3, "9": 4}


def histories(table):
    rows = user_rows(table, UserTable(), Histories.__new__(Histories), COMMAS)
    return rows, [rows._rows.row(row).tolist() for row in range(len(rows))]


def test_a_text_that_is_one_items_id_is_that_item_and_it_is_said_where_its_parts_are_ids(tmp_path):
    rows, found = histories(cells("1,2", " tent, red ", "2, 1", "9", "", None, "1,2"))
    assert found == [[2], [3], [1, 0], [4], [], [], [2]]
    said = "2 cells of `item_ids` are one item's id, though their parts are ids too: `1,2`"
    assert [note.startswith(said) for note in rows.notes] == [True]
    (tmp_path / "users.csv").write_text('user_id,item_ids\na,"1,2"\n')
    (tmp_path / "users.jsonl").write_text('{"user_id": "a", "item_ids": "1,2"}\n')
    (tmp_path / "lists.jsonl").write_text('{"user_id": "a", "item_ids": ["1", "2", "1,2"]}\n')
    files = ("users.csv", "users.jsonl", "lists.jsonl")
    assert [histories(tmp_path / name)[1] for name in files] == [[[2]], [[2]], [[0, 1, 2]]]


def test_an_id_with_a_comma_among_others_is_refused_not_guessed():
    with pytest.raises(GenrecError) as caught:
        histories(cells("9", "1,2,9", "9,tent, red"))
    assert "users:2: `item_ids` holds an id with a comma among others (2 times): `1,2,9` (line 2)" in str(
        caught.value
    )
    assert "or one row an interaction with `item_id`" in str(caught.value)


@pytest.mark.parametrize("written", ['{"i1": 1}', "7", "true"])
def test_a_history_that_is_no_list_is_refused(quick, tmp_path, written):
    (tmp_path / "users.jsonl").write_text(f'{{"user_id": "a", "item_ids": {written}}}\n')
    with pytest.raises(GenrecError, match=r"users.jsonl:1: `item_ids` is no list of ids: `"):
        quick.recommend_users(tmp_path / "users.jsonl")


def test_unknown_items_can_be_left_out_and_are_counted(quick):
    table = Table({"user_id": ["a", "a", "b"], "item_id": ["i1", "x1", "x2"]})
    found = quick.recommend_users(table, k=1, table=UserTable(unknown_items="drop"))
    assert found.items(0) == ["i2"]
    assert "2 interactions with unknown items were left out" in found.notes
    assert found["how"] == ["direct", "popular"], "nothing is left of b's history"


def test_no_users_give_an_empty_file_with_its_columns(quick, tmp_path):
    written = quick.recommend_users([], out=tmp_path / "none.csv", fields=["title"])
    assert (written.users, written.rows) == (0, 0)
    assert (tmp_path / "none.csv").read_text() == "user,rank,item,score,how,title\n"


def test_another_ending_is_refused(quick, tmp_path):
    with pytest.raises(GenrecError, match=r"format of `recs.xlsx`\n  → name it .jsonl, .csv or .parquet"):
        quick.recommend_users(out=tmp_path / "recs.xlsx")


@pytest.mark.parametrize("count", [0, -1, 100_001, 10**30, 2.0, True, "5"])
def test_numbers_that_nothing_can_be_counted_by_are_refused(quick, count, tmp_path):
    said = "but must be a whole number from 1 to 100,000"
    with pytest.raises(GenrecError, match=f"`k` is .*{said}"):
        quick.recommend([["i1"]], k=count)
    with pytest.raises(GenrecError, match=f"`k` is .*{said}"):
        quick.recommend_users(k=count)
    with pytest.raises(GenrecError, match=f"`batch` is .*{said}"):
        quick.recommend_users(k=1, batch=count, out=tmp_path / "x.jsonl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("columns", ["user_id", "user_id,item_id"])
def test_blank_lines_of_a_table_of_users_are_told(quick, tmp_path, columns):
    user, rest = quick.users[0], ",i1" if "," in columns else ""
    (tmp_path / "users.csv").write_text(f"{columns}\n{user}{rest}\n\n\n{quick.users[1]}{rest}\n")
    written = quick.recommend_users(tmp_path / "users.csv", k=1, out=tmp_path / "recs.csv")
    assert "2 blank lines of users.csv, passed over" in written.notes
