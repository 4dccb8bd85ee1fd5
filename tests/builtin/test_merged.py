"""`core/merged`: one person's interactions with several data sets become one sequence in time order."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest

from genrec_core import Context, DataError
from genrec_core.builtin.folder import Folder
from genrec_core.builtin.leave_one_out import DomainLast
from genrec_core.builtin.merged import Merged
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.problems import OptionsError
from genrec_core.testing.contracts import SourceContract


@pytest.fixture
def part(tmp_path):
    """Writes a folder: user → (item, time) pairs."""

    def write(name, taken, timed=True):
        folder = tmp_path / name
        folder.mkdir()
        items = sorted({item for pairs in taken.values() for item, _ in pairs})
        lines = [{"item_id": item, "title": f"{name} {item}"} for item in items]
        (folder / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows = []
        for user, pairs in taken.items():
            row = {"user_id": user, "item_ids": [item for item, _ in pairs]}
            rows.append(row | ({"timestamps": [time for _, time in pairs]} if timed else {}))
        (folder / "sequences.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return Folder(path=folder)

    return write


BOOKS = {"ann": [("a", 10), ("b", 30), ("c", 50)], "bob": [("a", 5)]}
FILMS = {"cem": [("x", 1)], "ann": [("a", 20), ("x", 30), ("y", 60)]}


def words(data, row):
    return [data.items.ids[item] for item in data.sequences.row(row).tolist()]


def test_overlapping_users_get_one_sequence_in_time_order(part):
    data = Merged(parts={"books": part("books", BOOKS), "films": part("films", FILMS)}).load(Context())
    assert data.users == ("ann",)
    # Of the two at time 30 the book comes first, because books are listed first.
    assert words(data, 0) == ["books:a", "films:a", "books:b", "films:x", "books:c", "films:y"]
    assert data.domains == ("books", "films", "books", "films", "books", "films")
    assert data.times.tolist() == [10, 20, 30, 30, 50, 60]
    assert data.items.fields["domain"] == ["books"] * 3 + ["films"] * 3
    assert "1 of 3 users" in data.notes[-1]


def test_each_domain_is_judged_by_its_last_item(part):
    data = Merged(parts={"books": part("books", BOOKS), "films": part("films", FILMS)}).load(Context())
    views = DomainLast().split(data, 10)
    judged = {e.domain: (data.items.ids[e.target], len(e.history)) for e in views.test.examples()}
    assert judged == {"books": ("books:c", 4), "films": ("films:y", 5)}


def test_everybody_may_stay(part):
    parts = {"books": part("books", BOOKS), "films": part("films", FILMS)}
    data = Merged(parts=parts, keep="all").load(Context())
    assert data.users == ("ann", "bob", "cem")
    assert [words(data, row) for row in (1, 2)] == [["books:a"], ["films:x"]]


def test_separate_people_keep_their_own_sequences(part):
    parts = {"books": part("books", BOOKS), "films": part("films", FILMS)}
    data = Merged(parts=parts, users="separate").load(Context())
    assert data.users == ("books:ann", "books:bob", "films:cem", "films:ann")
    assert words(data, 3) == ["films:a", "films:x", "films:y"]
    assert data.domains == ("books",) * 4 + ("films",) * 4
    assert np.array_equal(data.times, [10, 30, 50, 5, 1, 20, 30, 60])


def test_data_without_times_has_no_common_order(part):
    parts = {"books": part("books", BOOKS, timed=False), "films": part("films", FILMS)}
    with pytest.raises(DataError, match="books: no times"):
        Merged(parts=parts).load(Context())
    assert Merged(parts=parts, users="separate").load(Context()).times is None


@pytest.mark.parametrize("users", ["shared", "separate"])
def test_parts_whose_times_have_two_units_are_refused(part, users):
    days = {"ann": [("x", 19_000), ("y", 19_001)]}  # since 1970, where the others count seconds
    seconds = {"ann": [("a", 1_640_000_000), ("b", 1_641_000_000)]}
    parts = {"books": part("books", seconds), "films": part("films", days)}
    with pytest.raises(DataError) as refused:
        Merged(parts=parts, users=users).load(Context())
    assert refused.value.message == (
        "times lie between 1970 and 2022, as if units were mixed between the parts: "
        "`books` 2021 to 2022, `films` 1970 to 1970"
    )
    assert "seconds since 1970" in refused.value.hint


def test_parts_without_a_common_user_are_refused(part):
    parts = {"books": part("books", {"ann": BOOKS["ann"]}), "films": part("films", {"cem": FILMS["cem"]})}
    with pytest.raises(DataError, match="no user id occurs in all of books, films"):
        Merged(parts=parts).load(Context())


def test_a_field_that_is_taken_is_not_overwritten(part):
    parts = {"books": part("books", BOOKS), "films": part("films", FILMS)}
    with pytest.raises(DataError, match="already have a field `title`"):
        Merged(parts=parts, field="title").load(Context())


PARTS = {name: {"use": "core/synthetic", "items": 240, "users": 60} for name in ("here", "there")}


class TestMerged(SourceContract):
    component = Merged
    options: ClassVar = {"parts": PARTS}


class TestSeparate(SourceContract):
    component = Merged
    options: ClassVar = {"parts": PARTS, "users": "separate"}


def test_the_old_name_of_an_option_is_refused_with_the_new_one():
    registry, _ = load_plugins()
    with pytest.raises(OptionsError, match="people: `people` is now called `users`") as caught:
        registry.build("source", {"use": "core/merged", "parts": PARTS, "people": "separate"})
    assert "write `users: separate`" in str(caught.value)
