"""Prepared data: survives the disk unchanged, and its protocol tells measurements apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec_core import Context, DataError
from genrec_core.builtin.folder import Folder
from genrec_core.builtin.leave_one_out import DomainLast, LeaveOneOut
from genrec_core.builtin.synthetic import Synthetic
from genrec_core.builtin.temporal import Temporal
from genrec_core.data.folder import load_folder
from genrec_core.data.prepared import Prepared, load_prepared, prepare, save_prepared
from genrec_core.data.summary import summarise

SMALL = {"items": 240, "users": 60, "domains": 2}


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(Synthetic(**SMALL), DomainLast(), 20, Context())


def test_what_is_saved_is_loaded(prepared: Prepared, tmp_path: Path) -> None:
    save_prepared(prepared, tmp_path)
    loaded = load_prepared(tmp_path)
    assert loaded.items.ids == prepared.items.ids
    assert dict(loaded.items.fields) == dict(prepared.items.fields)
    for name in ("train", "valid", "test"):
        before, after = getattr(prepared.views, name), getattr(loaded.views, name)
        assert list(after.examples()) == list(before.examples())
        assert (after.users, after.domains, after.max_history) == (
            before.users, before.domains, before.max_history,
        )  # fmt: skip
        assert after.rows.values.dtype == np.int32
    assert (loaded.protocol, loaded.notes) == (prepared.protocol, prepared.notes)
    history = np.array([5])
    assert np.array_equal(loaded.views.oracle.next_item(history), prepared.views.oracle.next_item(history))


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        save_prepared(prepare(Synthetic(**SMALL), DomainLast(), 20, Context()), tmp_path / run)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["catalogue.json.gz", "oracle.safetensors", "users.json.gz", "views.safetensors"]
    assert all((tmp_path / "one" / n).read_bytes() == (tmp_path / "two" / n).read_bytes() for n in names)


def test_a_folder_without_times_or_oracle_survives_too(make_folder, tmp_path: Path) -> None:
    files = {"users.jsonl": '{"user_id":"u1","age":7}\n{"user_id":"u2","age":9}\n'}
    original = prepare(Folder(path=make_folder(files)), LeaveOneOut(), 5, Context())
    out = tmp_path / "artefact"
    out.mkdir()
    save_prepared(original, out)
    loaded = load_prepared(out)
    assert loaded.views.oracle is None
    assert loaded.views.test.times is None
    assert loaded.views.test.domains == ()
    assert loaded.attributes == {"u1": {"age": 7}, "u2": {"age": 9}}
    assert "1 users with fewer than 3 items have no test row" in loaded.notes


def test_a_damaged_artefact_is_named(prepared: Prepared, tmp_path: Path) -> None:
    save_prepared(prepared, tmp_path)
    whole = (tmp_path / "users.json.gz").read_bytes()
    (tmp_path / "users.json.gz").write_bytes(whole[:40])
    with pytest.raises(DataError, match=r"`users\.json\.gz` cannot be read"):
        load_prepared(tmp_path)


def test_the_hash_changes_with_everything_that_is_measured_differently(prepared: Prepared) -> None:
    def hash_of(source: Synthetic, split, max_history: int = 20) -> str:
        return prepare(source, split, max_history, Context()).protocol.hash

    hashes = [
        prepared.protocol.hash,
        prepared.protocol.asked(True).hash,
        hash_of(Synthetic(**SMALL), DomainLast(), 5),
        hash_of(Synthetic(**SMALL), LeaveOneOut()),
        hash_of(Synthetic(**SMALL), Temporal()),
        hash_of(Synthetic(**SMALL), Temporal(train=0.7)),
        hash_of(Synthetic(**SMALL, seed=4), DomainLast()),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hash_of(Synthetic(**SMALL), DomainLast()) == prepared.protocol.hash
    assert prepared.protocol.asked(True).asked(False).hash == prepared.protocol.hash


def test_the_protocol_is_described_with_its_hash(prepared: Prepared) -> None:
    described = prepared.protocol.described()
    assert len(described["hash"]) == 12
    assert described["candidates"] == "all items"
    assert described["filter_viewed"] is False
    assert described["max_history"] == 20
    assert described["rows"] == len(prepared.views.test)
    assert described["split"]["options"] == {"short_users": "train", "training": "all-but-held-out"}


def test_even_ties_stand_in_the_notes_of_a_run_and_of_a_check(make_folder) -> None:
    rows = "".join(f"u{user},{item},1\n" for user in range(9) for item in "bac")
    text = f"user_id,item_id,timestamp\n{rows}"
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": text})
    said = (
        "100.0% of interactions share user and time with another one; held against the item ids, 50.0% of 18 "
        "adjacent pairs ascend where 50% are expected (binomial test, p = 1)"
    )
    assert said in prepare(Folder(path=folder), LeaveOneOut(), 5, Context()).notes
    assert said in summarise(load_folder(folder))["notes"]
