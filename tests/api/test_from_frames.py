"""Data frames to a data folder: the importer's rules, with rows of frames as places."""

from __future__ import annotations

import datetime as dt

import pytest

import genrec_core as genrec
from genrec_core import GenrecError
from genrec_core.api.table import Table
from genrec_core.data.folder import load_folder

LOG = {
    "customer": ["anna", "ben", "anna", "ben"],
    "product": [1001, 1001, 1007, 1003],
    "when": [30, 10, 10, 20],
    "stars": [5, 2, 4, 3],
}
NAMES = {"user": "customer", "item": "product", "time": "when"}
ITEMS = {"item_id": [1001, 1003, 1007], "title": ["Kettle", "Notebook", "Chair"], "price": [12.5, None, 30.0]}


def saved(tmp_path, *frames, **options):
    report = genrec.data.from_frames(*frames, **options).save(tmp_path / "shop")
    return load_folder(tmp_path / "shop"), report


def test_frames_become_a_folder_in_order_of_time(tmp_path):
    people = Table({"customer": ["anna", "carl"], "age": [30, 40]})
    data, report = saved(tmp_path, Table(LOG), Table(ITEMS), people, columns=NAMES)
    assert data.items.ids == ("1001", "1003", "1007")
    assert list(data.items.fields["price"]) == [12.5, None, 30.0]
    rows = {
        user: [data.items.ids[item] for item in data.sequences.row(n)] for n, user in enumerate(data.users)
    }
    assert rows == {"anna": ["1007", "1001"], "ben": ["1001", "1003"]}
    assert data.attributes == {"anna": {"age": 30}}
    assert "4  ids that were numbers, now strings" in str(report)
    assert str(report).endswith("2 users, 3 items, 4 interactions")


def test_item_fields_may_stand_in_the_interactions(tmp_path):
    log = Table({**LOG, "name": ["Kettle", "Kettle", "Chair", "Notebook"]})
    data, report = saved(
        tmp_path, log, columns={**NAMES, "rating": "stars"}, item_fields={"title": "name"}, least_rating=3
    )
    assert list(data.items.fields["title"]) == ["Kettle", "Chair", "Notebook"]
    assert report.interactions == 3


def test_times_of_a_library_are_times(tmp_path):
    pd = pytest.importorskip("pandas", minversion="2.2")
    moments = [dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC), dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)]
    log = pd.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "timestamp": moments})
    items = pd.DataFrame(
        {"item_id": ["x", "y"], "title": ["X", "Y"], "since": pd.to_datetime(["2020-01-01", None])}
    )
    data, _ = saved(tmp_path, log, items)
    assert data.times.tolist() == [moments[1].timestamp(), moments[0].timestamp()]
    assert list(data.items.fields["since"]) == ["2020-01-01", None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"product": [1001, 9, 8, 1003]},
            r"interactions:2: item is not in the item table \(2 times\): `9` \(line 2\)",
        ),
        ({"when": [1, None, 3, 4]}, "interactions:2: row has no `when`"),
        (
            {"customer": ["a", "nan", "b", "c"]},
            "interactions:2: `customer` is a word for a missing value: `nan`",
        ),
    ],
)
def test_bad_rows_are_refused_by_their_number(tmp_path, change, message):
    with pytest.raises(GenrecError, match=message):
        saved(tmp_path, Table({**LOG, **change}), Table(ITEMS), columns=NAMES)
    assert not (tmp_path / "shop").exists()


def test_what_is_no_frame_or_no_column_is_said(tmp_path):
    with pytest.raises(
        GenrecError, match="`interactions` is a list, which is no data frame that speaks Arrow"
    ):
        genrec.data.from_frames([1])
    with pytest.raises(GenrecError, match=r"`columns` has no `users`\n  → known: user, item, time"):
        genrec.data.from_frames(Table(LOG), columns={"users": "customer"})
    with pytest.raises(GenrecError, match="need each other"):
        genrec.data.from_frames(Table(LOG), least_rating=3)
    with pytest.raises(
        GenrecError, match=r"interactions: the frame has no column `user_id`\n  → columns are: customer"
    ):
        saved(tmp_path, Table(LOG), Table(ITEMS))
