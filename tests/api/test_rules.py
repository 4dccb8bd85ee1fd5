"""Rules of a real run: k items come back wherever k are allowed; and threads that ask at once."""

from __future__ import annotations

import threading

import orjson
import pytest


@pytest.mark.parametrize(
    ("only", "allowed"),
    [
        ({"brand": "Zorg"}, [0, 3, 6]),
        ({"brand": ["Zorg", "Acme"]}, [0, 1, 3, 4, 6, 7]),
        ({"brand": "Acme", "tags": "new"}, [1, 4, 7]),
        ({"tags": "sale"}, [5]),
        ({"price": 7}, [7]),
        ({"price": ["7", 8.0]}, [7, 8]),
        ([f"i{n:03}" for n in range(100, 130)], range(100, 130)),
        (None, range(240)),
    ],
)
@pytest.mark.parametrize("k", [3, 30])
def test_k_items_come_back_wherever_k_are_allowed(small, only, allowed, k):
    found = small.recommend([["i000", "i001"], [], ["i100"]], k=k, only=only, exclude=["i100"])
    left = {f"i{n:03}" for n in allowed} - {"i100"}
    assert set(found["item"]) <= left
    for request in range(3):
        items = found.items(request)
        assert len(items) == len(set(items)) == min(k, len(left))
    assert any("fewer than" in note for note in found.notes) == (len(left) < k)


def test_a_batch_gives_what_one_call_a_user_gives(small, tmp_path):
    """Histories of all lengths side by side, each user with others' items left out."""
    users = small.users[:40]
    small.recommend_users(users, 5, out=tmp_path / "recs.jsonl", exclude_viewed=True, fields=["brand"])
    rows = [orjson.loads(line) for line in (tmp_path / "recs.jsonl").read_bytes().splitlines()]
    alone = [
        row
        for user in users
        for row in small.recommend(users=[user], k=5, exclude_viewed=True, fields=["brand"])
    ]
    assert len(rows) == len(alone) == 5 * len(users)
    for found, expected in zip(rows, alone, strict=True):
        assert found.pop("score") == pytest.approx(expected.pop("score"), abs=1e-4)
        assert found == {name: value for name, value in expected.items() if name != "request"}


def test_any_thread_may_ask_and_gets_what_it_would_alone(small):
    users = small.users[:6]
    alone = {user: small.recommend(users=[user], k=5).columns for user in users}
    together = {user: [] for user in users}
    wrong = []

    def ask(user):
        try:
            for _ in range(3):
                together[user].append(small.recommend(users=[user], k=5).columns)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert together == {user: [columns] * 3 for user, columns in alone.items()}
