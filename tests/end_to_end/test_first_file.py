"""`genrec new pipeline`: a file that fits the data, that runs, and that says how long it will take."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from genrec_core.cli.new import new
from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.items import Items
from genrec_core.pipeline.first_file import (
    DataFigures,
    Machine,
    TrialTimes,
    about,
    figures_of,
    first_file,
    pipeline_name_for,
    sizes_for,
)
from genrec_core.pipeline.load import load_pipeline
from genrec_core.registry.discovery import load_plugins

HERE = Machine(2, 16.0, gpu=False)
FIGURES = DataFigures(943, 1682, 100_000, 65, 244, "core/leave-one-out", 943, 0.0, True, ("title", "genres"))


@pytest.fixture
def shop(tmp_path):
    """A data folder of 60 users who walk through 70 items."""
    folder = tmp_path / "my shop"
    folder.mkdir()
    kinds = ("lamp", "tent", "cup", "kettle", "scarf", "radio", "stove")
    items = [{"item_id": f"i{i}", "title": f"{kinds[i % 7]} number {i}"} for i in range(70)]
    rows = [
        {"user_id": f"u{u}", "item_ids": [f"i{(7 * u + step) % 70}" for step in range(6)]} for u in range(60)
    ]
    for name, lines in (("items", items), ("sequences", rows)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


def invoked(monkeypatch, tmp_path, *arguments):
    monkeypatch.chdir(tmp_path)
    return CliRunner().invoke(new, ["pipeline", *map(str, arguments)])


def test_it_is_tried_written_and_is_a_pipeline(shop, tmp_path, monkeypatch):
    done = invoked(monkeypatch, tmp_path, "--data", shop)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("wrote my-shop.yaml: 60 users, 70 items; it will take about ")
    assert done.output.endswith("next: genrec run my-shop.yaml\n")
    text = (tmp_path / "my-shop.yaml").read_text()
    assert "judged from one epoch on 60 users just now" in text
    loaded = load_pipeline(tmp_path / "my-shop.yaml", load_plugins()[0])
    loaded.refuse_missing_files()
    assert loaded.spec.data.source.options.path == tmp_path / "my shop"
    assert loaded.spec.train["sft"].trainer.options.epochs == 15
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my shop", "my-shop.yaml"], (
        "nothing else is left"
    )


def test_what_is_there_is_not_written_over(shop, tmp_path, monkeypatch):
    (tmp_path / "my-shop.yaml").write_text("mine")
    done = invoked(monkeypatch, tmp_path, "--data", shop, "--no-trial")
    assert isinstance(done.exception, GenrecError)
    assert "`my-shop.yaml` is there already" in str(done.exception)


def test_without_a_trial_no_time_is_told(shop, tmp_path, monkeypatch):
    done = invoked(monkeypatch, tmp_path, "--data", shop, "--no-trial", "--out", "sub.yaml")
    assert done.output.splitlines()[0] == "wrote sub.yaml: 60 users, 70 items"
    assert "It will take" not in (tmp_path / "sub.yaml").read_text()


def test_bad_data_is_refused_with_its_places(shop, tmp_path, monkeypatch):
    with (shop / "sequences.jsonl").open("a") as file:
        file.write('{"user_id": "u99", "item_ids": ["nothing"]}\n')
    done = invoked(monkeypatch, tmp_path, "--data", shop, "--no-trial")
    assert isinstance(done.exception, DataError)
    assert not (tmp_path / "my-shop.yaml").exists()


@pytest.mark.parametrize(
    ("items", "interactions", "gpu", "expected"),
    [
        (480, 6_000, False, {"levels": 2, "codes": None, "hidden": 64, "behaviour": False}),
        (1_682, 100_000, False, {"levels": 2, "codes": 64, "hidden": 128, "behaviour": False}),
        (
            12_101,
            198_502,
            False,
            {"levels": 3, "codes": 256, "hidden": 128, "dropout": 0.4, "behaviour": True},
        ),
        (2_000_000, 90_000_000, True, {"levels": 4, "codes": 256, "hidden": 256, "layers": 6}),
        (2_000_000, 90_000_000, False, {"hidden": 128, "baselines": ("core/popular", "core/transitions")}),
    ],
)
def test_sizes_follow_the_data_and_the_machine(items, interactions, gpu, expected):
    sizes = sizes_for(replace(FIGURES, items=items, interactions=interactions), replace(HERE, gpu=gpu))
    assert {name: getattr(sizes, name) for name in expected} == expected
    assert float(sizes.codes or 256) ** sizes.levels >= 2 * items, "there is room for every name"


def test_viewed_items_are_left_out_only_where_nobody_comes_back():
    assert sizes_for(FIGURES, HERE).filter_viewed
    assert not sizes_for(replace(FIGURES, repeats=0.031), HERE).filter_viewed
    repeating = replace(FIGURES, repeats=0.031)
    text = first_file("x", Path("data"), repeating, sizes_for(repeating, HERE), HERE, None)
    assert "filter_viewed: false  # 3.1% of the test items had been chosen before by the same user" in text


def dataset(rows, **more):
    items = Items(tuple(f"i{item}" for item in range(9)), {"title": [f"T{item}" for item in range(9)]})
    return Dataset(items, tuple(f"u{row}" for row in range(len(rows))), Sequences.of(rows), **more)


def test_figures_are_counted():
    found = figures_of(dataset([[0, 1, 2, 0], [3, 4, 5], [6, 7]]), load_plugins()[0])
    assert (found.users, found.items, found.interactions, found.typical) == (3, 9, 9, 3)
    assert (found.split, found.test_rows, found.repeats) == ("core/leave-one-out", 2, 0.5)
    assert found.fields == ("title",)
    assert not found.times


def test_data_that_no_split_can_cut_is_refused():
    with pytest.raises(DataError, match="no split makes test rows from this data"):
        figures_of(dataset([[0], [1]], times=np.array([0.0, 1.0])), load_plugins()[0])


def test_a_trial_is_multiplied_and_epochs_counted():
    trial = TrialTimes(200, {"data": 2.0, "train.sft": 10.0, "recommend": 8.0})
    assert trial.epoch == 10
    assert trial.total(5) == 2 + 50 + 8
    assert [about(seconds) for seconds in (3, 32, 61, 1300, 9000)] == [
        "5 s",
        "30 s",
        "1 min",
        "22 min",
        "2.5 h",
    ]


def test_every_choice_has_a_reason_and_odd_paths_are_quoted(tmp_path):
    text = first_file("x", Path("my shop: 'new'"), FIGURES, sizes_for(FIGURES, HERE), HERE, None)
    values = yaml.safe_load(text)
    assert values["data"]["source"]["path"] == "my shop: 'new'"
    assert values["evaluate"]["filter_viewed"] is True
    assert "# 90 % of users have at most 244 interactions" in text
    assert "room for 4,096 names, 1,682 are needed" in text
    assert pipeline_name_for(tmp_path / "..my shop (2024)!") == "my-shop-2024"
    assert pipeline_name_for(tmp_path / "---") == "my-data"
