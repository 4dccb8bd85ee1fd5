"""Runs that were moved: with their store, without it, and from before stores were relative."""

from __future__ import annotations

import json
import shutil

import pytest

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.run_reader import open_run


def recommended(folder, registry, store=None):
    with open_run(folder, registry, store).open() as session:
        (ranked,) = session.recommend([[0, 1, 2]])
    return ranked.items.tolist(), ranked.scores.tolist()


@pytest.fixture
def folder(run):
    return run().folder


def test_a_run_and_its_store_are_moved_together(folder, registry, tmp_path):
    before = recommended(folder, registry)
    (tmp_path / "away").mkdir()
    for name in ("runs", "store"):
        (tmp_path / name).rename(tmp_path / "away" / name)
    plan = json.loads((tmp_path / "away/runs/quick/latest/plan.json").read_text())
    assert plan["store"] == "../../../store"
    assert recommended(tmp_path / "away" / "runs" / "quick", registry) == before
    assert recommended(tmp_path / "away" / "runs" / "quick" / folder.name, registry) == before


def test_a_run_folder_alone_finds_the_store_where_it_was(folder, registry, tmp_path):
    before = recommended(folder, registry)
    folder.rename(tmp_path / "kept")
    assert recommended(tmp_path / "kept", registry) == before


def test_the_store_beside_the_run_goes_before_the_one_that_it_was_made_in(folder, registry, tmp_path):
    for name in ("runs", "store"):
        shutil.copytree(tmp_path / name, tmp_path / "copy" / name, symlinks=True)
    assert open_run(tmp_path / "copy/runs/quick", registry).store.root == tmp_path / "copy" / "store"


def test_a_store_that_is_elsewhere_can_be_named(folder, registry, tmp_path):
    before = recommended(folder, registry)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(GenrecError, match=r"it is not there \(--store names another\)"):
        recommended(folder, registry)
    assert recommended(folder, registry, tmp_path / "elsewhere") == before


def test_a_run_whose_store_is_an_absolute_path_opens(folder, registry, tmp_path):
    """As runs named their store before it was relative."""
    plan = json.loads((folder / "plan.json").read_text())
    before = recommended(folder, registry)
    del plan["store_was"]
    (folder / "plan.json").write_text(json.dumps({**plan, "store": str(tmp_path / "store")}))
    assert recommended(folder, registry) == before
    folder.rename(tmp_path / "kept")
    assert recommended(tmp_path / "kept", registry) == before
