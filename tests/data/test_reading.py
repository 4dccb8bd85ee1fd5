"""A sound folder in each of its forms is read as it is meant."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from genrec_core import Context
from genrec_core.builtin.folder import Folder
from genrec_core.data.folder import Reading, load_folder

HEAD = "user_id,item_id,timestamp,n\n"


def rows_of(dataset) -> dict[str, list[str]]:
    return {
        user: [dataset.items.ids[item] for item in dataset.sequences.row(row)]
        for row, user in enumerate(dataset.users)
    }


def test_sequences_keep_their_order(make_folder) -> None:
    dataset = load_folder(make_folder({}))
    assert rows_of(dataset) == {"u1": ["a", "b", "c"], "u2": ["b", "a"]}
    assert dataset.times is None
    assert dataset.sequences.values.dtype == np.int32


def test_interactions_are_ordered_by_time(make_folder) -> None:
    csv = HEAD + "u2,c,9,0\nu1,b,30,0\nu2,a,3,0\nu1,a,20,0\n"
    dataset = load_folder(make_folder({"sequences.jsonl": None, "interactions.csv": csv}))
    assert rows_of(dataset) == {"u2": ["a", "c"], "u1": ["a", "b"]}
    assert dataset.times.tolist() == [3, 9, 20, 30]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_form_of_interactions_reads_the_same(make_folder, form: str) -> None:
    folder = make_folder({"sequences.jsonl": None})
    rows = [("u1", "b", 30), ("u1", "a", 20), ("u2", "c", 5)]
    if form == "parquet":
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        names = ["user_id", "item_id", "timestamp"]
        pq.write_table(
            pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), folder / "interactions.parquet"
        )
    else:
        text = "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows)
        if form.startswith("jsonl"):
            text = "".join(f'{{"user_id":"{u}","item_id":"{i}","timestamp":{t}}}\n' for u, i, t in rows)
        raw = gzip.compress(text.encode()) if form.endswith("gz") else text.encode()
        (folder / f"interactions.{form}").write_bytes(raw)
    assert rows_of(load_folder(folder)) == {"u1": ["a", "b"], "u2": ["c"]}


def test_ties_follow_the_file_and_are_counted(make_folder) -> None:
    csv = HEAD + "u1,c,5,2\nu1,a,5,10\nu1,b,5,1\nu1,a,6,0\n"
    dataset = load_folder(make_folder({"sequences.jsonl": None, "interactions.csv": csv}))
    assert rows_of(dataset) == {"u1": ["c", "a", "b", "a"]}
    assert dataset.notes == (
        "3 interactions share user and time with another one and were ordered by their order in the file",
    )


def test_a_tie_key_orders_ties_as_numbers(make_folder) -> None:
    csv = HEAD + "u1,c,5,2\nu1,a,5,10\nu1,b,5,1\nu1,a,6,0\n"
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": csv})
    dataset = load_folder(folder, Reading(tie_key="n"))
    assert rows_of(dataset) == {"u1": ["b", "c", "a", "a"]}
    assert "ordered by `n`" in dataset.notes[0]


def test_a_tie_key_of_words_orders_alphabetically(make_folder) -> None:
    csv = HEAD + "u1,c,5,late\nu1,a,5,early\nu1,b,5,middle\n"
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": csv})
    assert rows_of(load_folder(folder, Reading(tie_key="n"))) == {"u1": ["a", "c", "b"]}


@pytest.mark.parametrize(
    ("policy", "items", "note"),
    [("keep", ["a", "a", "b"], "were kept"), ("drop-exact", ["a", "b"], "were dropped")],
)
def test_repeated_rows_follow_the_policy(make_folder, policy: str, items: list[str], note: str) -> None:
    csv = HEAD + "u1,a,5,0\nu1,a,5,0\nu1,b,6,0\n"
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": csv})
    dataset = load_folder(folder, Reading(duplicates=policy))
    assert rows_of(dataset) == {"u1": items}
    assert "1 interactions repeat" in dataset.notes[0]
    assert note in dataset.notes[0]


def test_items_keep_all_fields_and_gaps_are_none(make_folder) -> None:
    items = '{"item_id":"a","title":"t"}\n{"item_id":"b","tags":["x","y"]}\n'
    items += '{"item_id":"c","title":"u","year":3}\n'
    dataset = load_folder(make_folder({"items.jsonl": items}))
    assert dict(dataset.items.fields) == {
        "title": ["t", None, "u"], "tags": [None, ["x", "y"], None], "year": [None, None, 3],
    }  # fmt: skip
    assert dataset.items.text(1) == "x, y"


def test_items_without_text_can_be_allowed_and_are_counted(make_folder) -> None:
    folder = make_folder({"items.jsonl": '{"item_id":"a"}\n{"item_id":"b","title":"t"}\n{"item_id":"c"}\n'})
    assert load_folder(folder, Reading(allow_empty_text=True)).notes == ("2 items have no text in any field",)


def test_users_rows_and_domains_arrive(make_folder) -> None:
    files = {
        "items.jsonl": "".join(f'{{"item_id":"{i}","title":"t","d":"{d}"}}\n' for i, d in ("ax", "by", "cx")),
        "users.jsonl": '{"user_id":"u1","age":7}\n{"user_id":"nobody","age":8}\n',
        "valid.jsonl": '{"user_id":"u1","history":["a"],"target":"b"}\n',
        "test.jsonl": '{"user_id":"u9","history":["a","b"],"target":"c"}\n',
    }
    dataset = load_folder(make_folder(files), Reading(domain_field="d"))
    assert dataset.attributes["u1"] == {"age": 7}
    assert dataset.notes == ("1 users of `users.jsonl` have no interaction",)
    assert dataset.domains == ("x", "y", "x", "y", "x")
    assert (dataset.test.users, dataset.test.histories.row(0).tolist(), dataset.test.targets.tolist()) == (
        ("u9",), [0, 1], [2],
    )  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_column(make_folder) -> None:
    csv = b"\xef\xbb\xbfuser_id,item_id,timestamp\nu1,a,1\n"
    dataset = load_folder(make_folder({"sequences.jsonl": None, "interactions.csv": csv}))
    assert rows_of(dataset) == {"u1": ["a"]}


def test_the_source_lists_the_files_it_reads_and_its_path_is_not_its_identity(make_folder) -> None:
    folder = make_folder({"notes.txt": "not ours"})
    source = Folder(path=folder)
    assert {path.name for path in source.inputs()} == {"items.jsonl", "sequences.jsonl"}
    assert source.identity() == Folder(path=Path("elsewhere")).identity()
    assert rows_of(source.load(Context())) == {"u1": ["a", "b", "c"], "u2": ["b", "a"]}
