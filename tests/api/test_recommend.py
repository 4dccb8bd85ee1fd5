"""Asking an opened run: ids and rules in, as many items as exist back."""

from __future__ import annotations

import pytest

import genrec_core as genrec
from genrec_core import GenrecError
from genrec_core.pipeline.run_folder import REPORT


def test_a_run_is_made_from_a_dictionary_and_opened_again(quick):
    assert quick.metrics["test"]["recall@5"] > 0
    assert quick.report == quick.folder / REPORT
    with genrec.open(quick.folder) as again:
        assert again.metrics == quick.metrics
        one, other = (run.recommend([["i3", "i4"]], k=3) for run in (quick, again))
    assert one.columns == other.columns
    assert one.items()[0] == "i5", "five follows four in every row"


def test_one_row_a_recommendation(quick):
    found = quick.recommend([["i3"], ["i7", "i8"]], k=2, users=["anna", "ben"])
    assert found["request"] == [0, 0, 1, 1]
    assert found["user"] == ["anna", "anna", "ben", "ben"]
    assert found["rank"] == [1, 2, 1, 2]
    assert found[2]["item"] == "i9"
    assert (found[2]["how"], found[2]["title"]) == ("direct", "Thing 09")
    assert list(found[0]) == ["request", "user", "rank", "item", "score", "how", "title"]
    assert list(quick.recommend([["i3"]], fields=[]).columns)[-1] == "how"


def test_one_list_of_ids_is_one_request(quick):
    assert quick.recommend(["i3", "i4"], k=3).columns == quick.recommend([["i3", "i4"]], k=3).columns


def test_users_are_asked_with_their_whole_history(quick):
    # u2 has i2 … i6; i6 is the held-out item, and i7 follows it.
    assert quick.users[:3] == ("u0", "u1", "u2")
    assert quick.recommend(users=["u2"], k=1).items() == ["i7"]
    with pytest.raises(GenrecError, match=r"data of 20 users has no user `u99`\n  → did you mean `u9`"):
        quick.recommend(users=["u99"])


def test_an_empty_history_gets_what_is_popular_and_it_is_said(quick):
    found = quick.recommend([[], ["i3"]], k=3, exclude=["i3"])
    assert [row["how"] for row in found] == ["popular"] * 3 + ["direct"] * 3
    counts = quick.reader.catalogue.popularity.copy()
    counts[3] = -1
    assert sorted(found["score"][:3], reverse=True) == sorted(counts.tolist(), reverse=True)[:3]
    assert "i3" not in found["item"]
    assert found.notes == ("1 of 2 requests have no history: they get the most popular items",)


def test_viewed_items_are_left_out_when_asked_or_when_the_evaluation_does_so(quick):
    history = ["i3", "i4", "i5"]
    assert set(history) & set(quick.recommend([history], k=12).items())
    assert not set(history) & set(quick.recommend([history], k=12, exclude_viewed=True).items())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"k": 0}, "`k` is `0`"),
        ({"histories": None}, "nothing was asked"),
        ({"histories": [["i1", "x9", "x8"]]}, "history 0: 2 of 3 items are not in the catalogue: `x9`, `x8`"),
        ({"users": ["a", "b"]}, "2 users were given for 1 histories"),
        ({"message": ["a", "b"]}, "2 messages were given for 1 requests"),
        ({"only": {"brnd": "x"}}, "only brnd=x: items have no field `brnd`"),
        (
            {"only": {"title": "Thing 0"}},
            r"no item has the value `Thing 0` in the field `title`\n  → did you",
        ),
        ({"only": ["x1"]}, "`only` names no item"),
        ({"fields": ["titel"]}, r"items have no field `titel`\n  → did you mean `title`"),
    ],
)
def test_what_cannot_be_answered_is_said(quick, more, message):
    with pytest.raises(GenrecError, match=message):
        quick.recommend(**{"histories": [["i1"]], **more})


def test_unknown_ids_of_a_history_can_be_dropped(quick):
    found = quick.recommend([["x9", "i4"]], k=1, unknown_items="drop")
    assert found.items() == ["i5"]
    assert found.notes == ("history 0: 1 of 2 items are not in the catalogue: `x9`",)


def test_a_closed_run_says_so(quick):
    run = genrec.open(quick.folder)
    run.close()
    with pytest.raises(GenrecError, match="this run was closed"):
        run.recommend([["i1"]])


def test_a_recommendation_shows_itself_as_a_table(quick):
    found = quick.recommend([["i3"]], k=1)
    assert "<th>item</th>" in found._repr_html_()
    assert "<td>i4</td>" in found._repr_html_()
    assert repr(found).splitlines()[0].split() == [
        *genrec.Recommendations([], quick.items, ["title"]).columns
    ]
    odd = genrec.Recommendations([], quick.items, ["title"], ["<b>"])
    assert "&lt;b&gt;" in odd._repr_html_()
