"""A part of a data set: whole users, the items they had to do with, everything else consistent."""

from __future__ import annotations

import numpy as np

from genrec_core.contracts.dataset import Dataset, EvaluationRows, Sequences
from genrec_core.contracts.items import Items
from genrec_core.data.limiting import limited

CATALOGUE, USERS = 5000, 40


def shop(**more) -> Dataset:
    """User u chose the items 100 u, 100 u + 1 and 7, at the times 3 u, 3 u + 1, 3 u + 2."""
    rows = [[100 * user, 100 * user + 1, 7] for user in range(USERS)]
    items = Items(
        tuple(f"i{item}" for item in range(CATALOGUE)), {"title": [f"T{i}" for i in range(CATALOGUE)]}
    )
    names = tuple(f"u{user}" for user in range(USERS))
    return Dataset(
        items,
        names,
        Sequences.of(rows),
        times=np.arange(3.0 * USERS),
        domains=tuple(f"d{place % 2}" for place in range(3 * USERS)),
        attributes={name: {"age": place} for place, name in enumerate(names)},
        **more,
    )


def chosen(data: Dataset) -> dict[str, list[str]]:
    return {
        user: [data.items.ids[item] for item in data.sequences.row(row)]
        for row, user in enumerate(data.users)
    }


def test_users_stay_whole_with_their_times_domains_and_attributes():
    whole = shop()
    part = limited(whole, 5)
    assert len(part.users) == 5
    everything = chosen(whole)
    assert all(everything[user] == items for user, items in chosen(part).items())
    for row, user in enumerate(part.users):
        number = int(user[1:])
        span = slice(part.sequences.offsets[row], part.sequences.offsets[row + 1])
        assert part.times[span].tolist() == [3 * number, 3 * number + 1, 3 * number + 2]
        assert part.domains[span] == whole.domains[3 * number : 3 * number + 3]
        assert part.attributes[user] == {"age": number}
    assert len(part.attributes) == 5


def test_items_are_those_of_the_users_and_others_up_to_two_thousand():
    part = limited(shop(), 5)
    assert len(part.items) == 2000
    assert {item for items in chosen(part).values() for item in items} <= set(part.items.ids)
    assert part.items.value(part.items.index_of("i7"), "title") == "T7"
    assert list(part.items.ids) == sorted(part.items.ids, key=lambda name: int(name[1:])), "in their order"


def test_the_same_part_is_drawn_every_time_and_the_note_counts():
    first, second = limited(shop(), 5), limited(shop(), 5)
    assert (first.users, first.items.ids) == (second.users, second.items.ids)
    assert first.notes == ("only 5 of 40 users and 2,000 of 5,000 items were used (`limit: 5`)",)


def test_explicit_rows_are_those_of_the_same_users():
    rows = EvaluationRows(
        ("u3", "x", "u9"), Sequences.of([[300], [4999], [900, 901]]), np.array([301, 4998, 7], np.int32)
    )
    part = limited(shop(valid=rows, test=rows), 41)
    assert part.test.users == ("u3", "x", "u9"), "a user who is only in a row counts as one"
    assert [part.items.ids[item] for item in part.test.targets] == ["i301", "i4998", "i7"]
    assert [part.items.ids[item] for item in part.test.histories.values] == ["i300", "i4999", "i900", "i901"]
    fewer = limited(shop(valid=rows, test=rows), 10)
    assert set(fewer.test.users) <= {"x", *fewer.users}
    assert len(fewer.users) + ("x" in fewer.test.users) == 10


def test_more_users_than_there_are_is_everything():
    part = limited(shop(), 500)
    assert chosen(part) == chosen(shop())
    assert part.notes == ("only 40 of 40 users and 2,000 of 5,000 items were used (`limit: 500`)",)


def test_where_the_distribution_is_known_every_item_stays():
    class Truth:
        def next_item(self, history):
            return np.ones(CATALOGUE) / CATALOGUE

    assert len(limited(shop(oracle=Truth()), 5).items) == CATALOGUE
