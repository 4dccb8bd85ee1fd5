"""`genrec data get`, end to end on small files in the publishers' own formats."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from genrec_contrib_datasets.known import find, known

from genrec_core import DataError
from genrec_core.cli import main
from genrec_core.data.folder import load_folder

REVIEWS = [
    {"reviewerID": f"U{user}", "asin": f"B{item}", "overall": 5.0, "unixReviewTime": 1_000 * user + item}
    for user in range(6)
    for item in range(5)
]


def get(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["data", "get", *arguments])
    return ended.value.code


def packed(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def read(folder: Path):
    dataset = load_folder(folder)
    rows = {
        user: [dataset.items.ids[item] for item in dataset.sequences.row(row)]
        for row, user in enumerate(dataset.users)
    }
    return dataset, rows


def test_every_name_is_one_and_every_file_comes_over_https():
    names = [one.name for one in known()]
    assert len(set(names)) == len(names) > 80
    addresses = [file.address for one in known() for file in one.files]
    assert all(address.startswith("https://") or not address for address in addresses)
    assert {"ml-100k", "ml-1m", "amazon-2014-beauty", "steam", "yelp"} <= set(names)


def test_a_category_may_be_cut_short_where_it_is_unique():
    assert find("amazon-2018-industrial").name == "amazon-2018-industrial-and-scientific"
    with pytest.raises(DataError, match="`amazon-2014-c` begins 3 names"):
        find("amazon-2014-c")
    with pytest.raises(DataError, match="no data set is called `netflix`"):
        find("netflix")


def test_movielens_100k_comes_with_genres_and_with_who_people_are(tmp_path, capsys):
    (tmp_path / "u.data").write_text("1\t7\t5\t20\n1\t8\t3\t10\n2\t7\t1\t30\n")
    film = "{}|{}|01-Jan-1995||http://x|" + "|".join(["0"] * 5 + ["{}"] + ["0"] * 12 + ["1"])
    lines = [film.format(7, "Toy Story (1995)", 1), film.format(8, "Amélie", 0)]
    (tmp_path / "u.item").write_bytes("\n".join(lines).encode("latin-1") + b"\n")
    (tmp_path / "u.user").write_text("1|24|M|technician|85711\n2|53|F|none|94043\n")
    out = tmp_path / "out"
    extra = ("--min-rating", "3", "--rating-column", "rating")
    assert get("ml-100k", "--from", str(tmp_path), "--out", str(out), *extra) == 0
    dataset, rows = read(out)
    assert rows == {"1": ["8", "7"]}
    assert dataset.items.fields["title"] == ["Toy Story (1995)", "Amélie"]
    assert dataset.items.fields["genres"] == [["Comedy", "Western"], ["Western"]]
    assert dataset.attributes == {"1": {"age": "24", "gender": "M", "occupation": "technician"}}
    assert "$ genrec data import" in capsys.readouterr().out


def test_movielens_1m_as_it_is_downloaded(tmp_path):
    (tmp_path / "ratings.dat").write_text("1::1193::5::978300760\n1::661::3::978302109\n")
    (tmp_path / "movies.dat").write_bytes(
        "661::James and the Giant Peach (1996)::Animation|Children's\n1193::Misérables, Les::Drama\n".encode(
            "latin-1"
        )
    )
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n")
    assert get("ml-1m", "--from", str(tmp_path), "--out", str(tmp_path / "out")) == 0
    dataset, rows = read(tmp_path / "out")
    assert rows == {"1": ["1193", "661"]}
    assert dataset.items.fields["genres"] == [["Animation", "Children's"], ["Drama"]]
    assert dataset.attributes == {"1": {"gender": "F", "age": "1", "occupation": "10"}}


def test_amazon_2014_with_python_s_dictionaries_as_metadata(tmp_path):
    packed(tmp_path / "reviews_Beauty_5.json.gz", [json.dumps(row) for row in REVIEWS])
    products = [
        {
            "asin": f"B{item}",
            "title": f"Soap &amp; {item}",
            "categories": [["Beauty", "Bath"]],
            "brand": "B's",
        }
        for item in range(5)
    ]
    packed(tmp_path / "meta_Beauty.json.gz", [repr(product) for product in products])
    assert get("amazon-2014-beauty", "--from", str(tmp_path), "--out", str(tmp_path / "out")) == 0
    dataset, rows = read(tmp_path / "out")
    assert rows["U0"] == ["B0", "B1", "B2", "B3", "B4"]
    assert len(rows) == 6
    assert dataset.items.fields["title"][0] == "Soap & 0"
    assert dataset.items.fields["categories"][0] == ["Beauty", "Bath"]


def test_amazon_2023_is_read_in_milliseconds_and_cut_to_its_core(tmp_path):
    rows = [
        {"user_id": f"U{user}", "parent_asin": f"B{item}", "timestamp": 1_600_000_000_000 + 1_000 * item}
        for user in range(6)
        for item in range(5)
    ]
    rows.append({"user_id": "rare", "parent_asin": "B0", "timestamp": 1_600_000_000_000})
    packed(tmp_path / "Video_Games.jsonl.gz", [json.dumps(row) for row in rows])
    packed(
        tmp_path / "meta_Video_Games.jsonl.gz",
        [
            json.dumps({"parent_asin": f"B{i}", "title": f"Game {i}", "store": None, "categories": ["Games"],
                        "description": ["a", "b"], "details": {"x": 1}})
            for i in range(6)
        ],
    )  # fmt: skip
    assert get("amazon-2023-video-games", "--from", str(tmp_path), "--out", str(tmp_path / "out")) == 0
    dataset, rows = read(tmp_path / "out")
    assert "rare" not in rows
    assert len(dataset.items) == 5
    assert dataset.times[0] == 1_600_000_000


def test_steam_and_yelp_from_files_that_are_there(tmp_path):
    reviews = [
        {"username": f"p{user}", "product_id": str(game), "date": f"2017-12-{game + 1:02}"}
        for user in range(5)
        for game in range(5)
    ]
    games = [{"id": str(game), "app_name": f"Game {game}", "genres": ["Action"]} for game in range(5)]
    packed(tmp_path / "steam_reviews.json.gz", [repr(row) for row in reviews])
    packed(tmp_path / "steam_games.json.gz", [repr(row) for row in games])
    assert get("steam", "--from", str(tmp_path), "--out", str(tmp_path / "steam")) == 0
    assert read(tmp_path / "steam")[1]["p0"] == ["0", "1", "2", "3", "4"]
    visits = [
        {"user_id": f"p{user}", "business_id": f"b{place}", "date": f"2018-07-0{place + 1} 22:09:11"}
        for user in range(5)
        for place in range(5)
    ]
    places = [{"business_id": f"b{i}", "name": f"Café {i}", "categories": "Food, Bars"} for i in range(5)]
    for name, lines in (("review", visits), ("business", places)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"yelp_academic_dataset_{name}.json").write_text(text)
    assert get("yelp", "--from", str(tmp_path), "--out", str(tmp_path / "yelp")) == 0
    dataset, rows = read(tmp_path / "yelp")
    assert rows["p0"] == [f"b{i}" for i in range(5)]
    assert dataset.items.fields["categories"][0] == ["Food", "Bars"]


def test_what_cannot_be_had_is_said_before_anything_is_done(tmp_path, capsys):
    assert get("yelp", "--out", str(tmp_path / "out")) == 2
    assert "name it with --from" in capsys.readouterr().err
    assert get("ml-1m", "--from", str(tmp_path), "--out", str(tmp_path / "out")) == 2
    assert "no ratings.dat, movies.dat, users.dat there" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    assert get("ml-1m", "--out", str(tmp_path / "out")) == 2
    assert "exists already" in capsys.readouterr().err
    assert get("ml-1m", "--dry-run", "--out", str(tmp_path / "new"), "--mirror", "https://there.example") == 0
    assert "would download https://there.example/datasets/movielens/ml-1m.zip" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()
