"""Columns that would take each other's place: each is refused by its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from genrec_core import DataError
from genrec_core.data.folder import Reading, load_folder
from genrec_core.data.folder_writer import write_folder
from genrec_core.data.frames import from_frames
from tests.data.imports import LOG, items_of, run, with_items


def test_a_column_called_item_id_never_takes_the_place_of_the_ids(tmp_path: Path) -> None:
    table = "asin,item_id,title\na,c,Comb\nb,a,Soap\nc,b,Gel\n"
    refused = with_items(tmp_path, table, "--item-id-column", "asin", name="items.csv")
    assert "a field called `item_id` would take the place of the ids" in str(refused.exception)
    named = ("--item-id-column", "asin", "--item-field", "title=title")
    assert with_items(tmp_path, table, *named, name="items.csv").exit_code == 0
    assert [fields["title"] for fields in items_of(tmp_path).values()] == ["Comb", "Soap", "Gel"]


USERS = "cust,user_id,item_id,age\nu,v,x,31\nv,u,y,12\n"


def test_a_column_called_user_id_never_takes_the_place_of_the_users(tmp_path: Path) -> None:
    log = LOG + "v,a,4\n"
    files: dict[str, str | bytes] = {"log.csv": log, "users.csv": USERS}
    options = ("--users", str(tmp_path / "users.csv"), "--user-id-column", "cust", "--allow-empty-text")
    refused = run(tmp_path, files, *options)
    assert "a field called `user_id` would take the place of the ids" in str(refused.exception)
    assert "name the columns you want with `--user-field NAME=COLUMN`" in str(refused.exception)
    named = ("--user-field", "age=age", "--user-field", "item_id=item_id")  # `item_id` is no id of a user
    assert run(tmp_path, files, *options, *named).exit_code == 0
    attributes = load_folder(tmp_path / "out", Reading(allow_empty_text=True)).attributes
    assert attributes == {"u": {"age": "31", "item_id": "x"}, "v": {"age": "12", "item_id": "y"}}


def test_a_frame_of_users_with_two_ids_is_refused(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    log = pa.table({"cust": ["u", "v"], "item_id": ["a", "a"], "timestamp": [1, 2], "title": ["t", "t"]})
    people = pa.table({"cust": ["u", "v"], "user_id": ["v", "u"], "age": [31, 12]})
    frames = from_frames(log, users=people, columns={"user": "cust"}, item_fields={"title": "title"})
    with pytest.raises(DataError, match="a field called `user_id` would take the place of the ids"):
        frames.save(tmp_path / "out")


def test_an_attribute_called_user_id_is_not_written_over_the_users(tmp_path: Path) -> None:
    assert run(tmp_path, {}, "--allow-empty-text").exit_code == 0
    dataset = load_folder(tmp_path / "out", Reading(allow_empty_text=True))
    with pytest.raises(DataError, match=r"an attribute called `user_id` .* \(1 users\)"):
        write_folder(replace(dataset, attributes={"u": {"user_id": "v"}}), tmp_path / "two")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--item-field", "item_id=x"], "`item_id` is the id itself"),
        (["--flags-field", "item_id=x,y"], "`item_id` is the id itself"),
        (["--users", "users.csv", "--user-field", "user_id=x"], "`user_id` is the id itself"),
        (["--user-field", "age=years"], "`--user-field` needs `--users`"),
        (["--user-columns", "a,b"], "`--user-columns` needs `--users`"),
        (["--item-columns", "a,b"], "`--item-columns` needs `--items`"),
        (["--item-field", "t=a", "--item-field", "t=b"], "gives `t` twice"),
        (["--user-column", "item_id"], "column `item_id` is read as two of user, item and time"),
    ],
)
def test_names_that_collide_are_refused(tmp_path: Path, options: list[str], says: str) -> None:
    assert says in str(run(tmp_path, {}, *options).exception)


FLAGS = "item_id,title,D,C\na,Comb,1,0\nb,Soap,0,1\nc,Gel,1,1\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--flags-field", "title=D,C"], "field `title` is made of flags and of column `title`"),
        (
            ["--item-field", "x=title", "--flags-field", "x=D,C"],
            "field `x` is made of flags and of column `title`",
        ),
        (["--flags-field", "g=D,D"], "field `g` names column `D` of flags twice"),
        (["--split-field", "nosuch=|"], "there is no field `nosuch` whose cells could be parted"),
        (["--flags-field", "g=D,C", "--split-field", "g=|"], "there is no field `g` whose cells could be"),
        (["--item-field", "x=title", "--split-field", "title=|"], "there is no field `title` whose cells"),
    ],
)
def test_a_field_is_made_once_and_parted_only_where_it_is(
    tmp_path: Path, options: list[str], says: str
) -> None:
    assert says in str(with_items(tmp_path, FLAGS, *options, name="items.csv").exception)
    sound = ("--flags-field", "g=D,C", "--flags-field", "h=D", "--split-field", "title=o")
    assert with_items(tmp_path, FLAGS, *sound, name="items.csv").exit_code == 0
    assert items_of(tmp_path)["a"] == {"title": ["C", "mb"], "g": ["D"], "h": ["D"]}


def test_a_field_that_is_not_there_is_not_parted_inside_the_interactions(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,title\nu,a,1,t\n"
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=title", "--split-field", "nosuch=|")
    assert "there is no field `nosuch`" in str(result.exception)
