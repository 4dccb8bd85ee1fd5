"""The path of docs/own-data.md, with the pipeline and the commands that stand there."""

from __future__ import annotations

import csv
import json
import random
import re
import shlex
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.end_to_end.processes import genrec

DOC = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text()
KINDS = ("kettle", "camping chair", "notebook", "lamp", "rucksack", "blanket", "teapot", "pencil")
PRODUCTS, CUSTOMERS = 40, 60
EPOCHS = ("--set", "train.sft.epochs=2")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", DOC, flags=re.DOTALL | re.MULTILINE)


def commands():
    return [shlex.split(line)[1:] for block in blocks("sh") for line in block.splitlines()]


def typed():
    """The lines that the transcript of a new user shows as typed."""
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


def names():
    """Product → name; those that the document shows, and made-up ones."""
    shown = {row["product"]: row["name"] for row in csv.DictReader(blocks("csv")[0].splitlines())}
    made = {f"{1001 + n}": f"{KINDS[n % len(KINDS)].title()} number {n}, blue" for n in range(PRODUCTS)}
    return made | shown


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with the document's `shop.csv`, grown, and `my.yaml`, after all its commands."""
    folder = tmp_path_factory.mktemp("own-data")
    dice, products = random.Random(1), list(names().items())
    with (folder / "shop.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(blocks("csv")[0].splitlines()[0].split(","))
        for customer in range(CUSTOMERS):
            when = datetime(2025, 3, 1) + timedelta(hours=customer)
            place = dice.randrange(PRODUCTS)
            for _ in range(dice.randint(4, 8)):
                when += timedelta(minutes=dice.randint(1, 5000))
                table.writerow([f"customer {customer}", *products[place], when.isoformat()])
                place = (place + dice.choice([1, 1, 1, 2, 7])) % PRODUCTS
    (folder / "my.yaml").write_text(blocks("yaml")[0])
    return folder, [genrec(folder, *words) for words in commands()]


def test_the_table_becomes_a_data_folder_without_problems(shop):
    _, (imported, checked, *_) = shop
    assert f"Wrote shop: {CUSTOMERS} users, {PRODUCTS} items" in imported
    assert checked.splitlines()[-1] == "no problems"
    assert "ties" in checked


def test_the_run_ends_in_a_table_with_the_baselines(shop):
    folder, (_, _, table, *_) = shop
    assert {"my", "popular", "item-knn"} <= set(table.split())
    metrics = json.loads((folder / "runs" / "my" / "latest" / "metrics.json").read_text())
    assert set(metrics["baselines"]) == {"core/popular", "core/item-knn"}
    assert 0 < metrics["test"]["recall@10"] <= 1


def test_recommended_are_other_products_with_their_names(shop):
    _, (_, _, _, by_id, by_title, *_) = shop
    known = names()
    answer = json.loads(by_title)
    assert [one["item"] for one in answer["history"]] == ["1001", "1007"]
    items = [one["item"] for one in answer["items"]]
    assert len(set(items)) == len(items) == 5
    assert not {"1001", "1007"} & set(items)
    assert [one["title"] for one in answer["items"]] == [known[item] for item in items]
    told = by_id.splitlines()
    assert told[0] == f"after 1001 ({known['1001']}) → 1007 ({known['1007']})"
    assert [line.split()[3] for line in told[1:]] == items
    assert all(line.endswith(known[item]) for line, item in zip(told[1:], items, strict=True))


def test_rules_leave_one_product_and_everyone_is_in_the_file(shop):
    folder, (*_, ruled, everyone) = shop
    assert [line.split()[3] for line in ruled.splitlines()[1:2]] == ["1007"]
    assert "only 1 of 10" in ruled
    assert f"{5 * CUSTOMERS} recommendations for {CUSTOMERS} users in recs.csv" in everyone
    with (folder / "recs.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (folder / "shop.csv").open() as file:
        had = {(row["customer"], row["product"]) for row in csv.DictReader(file)}
    assert len({row["user"] for row in rows}) == CUSTOMERS
    assert not had & {(row["user"], row["item"]) for row in rows}


def test_the_transcript_of_a_new_user_leads_to_recommendations_in_a_file(shop, tmp_path):
    """Every line but those that install, on the document's made-up table and for two epochs."""
    lines = typed()
    assert len(lines) <= 10
    here = [shlex.split(line)[1:] for line in lines if line.startswith("genrec ")]
    others = [line.split()[0] for line in lines if not line.startswith("genrec ")]
    assert others == ["python3.11", ".", "pip", "pip"]
    shutil.copy(shop[0] / "shop.csv", tmp_path)
    told = [genrec(tmp_path, *words, *(EPOCHS if words[0] == "run" else ())) for words in here]
    assert f"wrote shop.yaml: {CUSTOMERS} users" in told[1]
    assert "next: genrec run shop.yaml" in told[1]
    assert f"{5 * CUSTOMERS} recommendations for {CUSTOMERS} users in recs.csv" in told[-1]
    with (tmp_path / "recs.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5 * CUSTOMERS
