"""`genrec recommend`: one user on the screen, many in a file, under rules, with reasons."""

from __future__ import annotations

import json

import pytest

RUN = "runs/quick/latest"


@pytest.fixture
def ran(genrec):
    genrec("run", "pipeline.yaml", "--set", "recommend.beams=12")
    return genrec


def test_a_user_of_the_data_by_id(ran):
    shown = ran("recommend", RUN, "--user", "u2", "-k", "2")
    assert shown.out.startswith("u2, after i2 (Thing 02) → i3 (Thing 03) → i4")
    assert shown.out.splitlines()[1].split()[2:4] == ["direct", "i7"], "i6 is held out, and known by now"
    assert "no user `u99`" in ran("recommend", RUN, "--user", "u99").err


def test_who_has_no_history_gets_what_is_popular_and_reads_so(ran):
    shown = ran("recommend", RUN, "-k", "3")
    assert shown.out.startswith("no history\n")
    assert shown.out.count("popular") == 4, "three items, and a line about them"
    assert "get the most popular items" in shown.out


def test_rules_leave_the_others(ran, tmp_path):
    (tmp_path / "gone.txt").write_text("i4\n\ni5\nnope\n")
    (tmp_path / "gone.csv").write_text("item_id,why\ni4,sold\ni5,sold\n")
    plain = json.loads(ran("recommend", RUN, "--history", "i3", "-k", "12", "--json").out)
    assert {"i3", "i4", "i5"} <= {row["item"] for row in plain["items"]}
    for file in ("gone.txt", "gone.csv"):
        shown = ran(
            "recommend", RUN, "--history", "i3", "-k", "12", "--exclude", file, "--exclude-viewed", "--json"
        )
        found = json.loads(shown.out)
        assert not {"i3", "i4", "i5"} & {row["item"] for row in found["items"]}
        assert len(found["items"]) == 9
    noted = ran("recommend", RUN, "--history", "i3", "--exclude", "gone.txt").out
    assert "1 of 3 ids of `exclude` are no items: `nope`" in noted
    only = ran("recommend", RUN, "--history", "i3", "--only", "title=Thing 08", "--only", "title=Thing 04")
    assert [line.split()[3] for line in only.out.splitlines()[1:3]] == ["i4", "i8"]
    assert "only 2 of 10" in only.out


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_all_users_into_a_file(ran, tmp_path, ending):
    shown = ran("recommend", RUN, "--all", "-k", "3", "--fields", "title", "--out", f"recs.{ending}")
    assert shown.out.startswith(f"60 recommendations for 20 users in recs.{ending}\n")
    assert "users a second" in shown.out
    assert len((tmp_path / f"recs.{ending}").read_text().splitlines()) == 60 + (ending == "csv")
    again = ran("recommend", RUN, "--all", "--out", f"recs.{ending}")
    assert (again.code, "exists already" in again.err) == (2, True)
    told = json.loads(ran("recommend", RUN, "--all", "--out", f"recs.{ending}", "--overwrite", "--json").out)
    assert (told["users"], told["rows"], told["path"]) == (20, 200, f"recs.{ending}")


def test_users_from_a_table(ran, tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nnew,i4,20\nnew,i3,10\nold,zz,5\n")
    refused = ran("recommend", RUN, "--users", "log.csv", "--out", "recs.jsonl")
    assert "log.csv:4: item is not in the catalogue: `zz`" in refused.err
    shown = ran(
        "recommend", RUN, "--users", "log.csv", "-k", "1", "--out", "recs.jsonl", "--unknown-items", "drop"
    )
    assert "1 interactions with unknown items were left out" in shown.out
    assert "1 users have no history" in shown.out
    rows = [json.loads(line) for line in (tmp_path / "recs.jsonl").read_text().splitlines()]
    assert [(row["user"], row["how"]) for row in rows] == [("new", "direct"), ("old", "popular")]
    assert rows[0]["item"] == "i5"


def test_times_of_users_are_read_as_an_import_reads_them(ran, tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id,timestamp\nu,i1,1700000000\nu,i2,1600000000000\n")
    asked = ("recommend", RUN, "--users", "log.csv", "--out", "recs.jsonl", "--time-format")
    mixed = ran(*asked, "milliseconds")
    assert "log.csv: times lie between 1970 and 2020, as if units were mixed" in mixed.err
    unknown = ran(*asked, "foo")
    assert "`--time-format foo` is no time format\n  → known are seconds, milliseconds, iso" in unknown.err
    assert (mixed.code, unknown.code) == (2, 2)
    assert not list(tmp_path.glob("recs*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all"], "many users need a file to write to\n  → name one: --out recs.jsonl"),
        (["--out", "a.csv"], "`--out` is for many users"),
        (["--all", "--users", "pipeline.yaml", "--out", "a.csv"], "`--all` and `--users` are both given"),
        (["--all", "--user", "u1", "--out", "a.csv"], "one user or many"),
        (["--users", "none.csv", "--out", "a.csv"], "there is no file `none.csv`"),
        (["--exclude", "none.txt"], "--exclude: there is no file `none.txt`"),
        (["--only", "brand"], "--only: `brand` is no rule\n  → write FIELD=VALUE"),
        (["--only", "brand=x"], "only brand=x: items have no field `brand`"),
    ],
)
def test_what_does_not_fit_together_is_said(ran, arguments, message):
    shown = ran("recommend", RUN, *arguments)
    assert shown.code == 2
    assert message in shown.err


def test_it_says_why(ran):
    shown = ran("recommend", RUN, "--history", "i2,i3", "-k", "1", "--explain")
    # Rows are u, u+1, …: 12 items, 20 users; of training's first three items each, i3 and i4 are in those of
    # u2 and u3 (and u14, u15 likewise), i2 and i4 in those of u2 and u14.
    assert "beam 1: <a1><b0>" in shown.out
    first, second = [line for line in shown.out.splitlines() if "near" in line]
    assert first.split(": ")[0].strip() == "near i3 (Thing 03)"
    assert second.split(": ")[0].strip() == "near i2 (Thing 02)"
    found = json.loads(ran("recommend", RUN, "--history", "i2,i3", "-k", "1", "--explain", "--json").out)
    (why,) = found["why"]
    assert (why["item"], why["beam"]) == ("i4", "1: <a1><b0>")
    assert [(near["item"], near["alike"]) for near in why["near"]] == [("i3", 0), ("i2", 0)]
    assert why["near"][0]["both"] > why["near"][1]["both"] > 0
