"""`genrec store` and `genrec store prune`, as they are typed."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def two_runs(genrec, tmp_path):
    """Two runs of which the older one was deleted."""
    older = ("--set", "train.count.epochs=2", "--runs", "older")
    assert genrec("run", "pipeline.yaml", *older).code == 0
    shutil.rmtree(tmp_path / "older" / "quick")
    assert genrec("run", "pipeline.yaml").code == 0


def test_it_shows_what_takes_space_and_what_no_run_needs(genrec, two_runs):
    shown = genrec("store")
    assert shown.code == 0
    assert "train.count" in shown.out
    assert "10 artefacts" in shown.out
    assert "4 artefacts" in shown.out
    assert "no run needs them" in shown.out
    told = json.loads(genrec("store", "--json").out)
    assert [one["need"] for one in told["artefacts"]].count("unneeded") == 4
    assert sum(one["bytes"] for one in told["artefacts"]) > 1000


def test_pruning_says_what_goes_and_leaves_what_is_needed(genrec, two_runs):
    would = genrec("store", "prune", "--dry-run")
    assert would.out.strip().splitlines()[-1].startswith("would delete 4 artefacts, ")
    done = genrec("store", "prune")
    assert done.out.strip().splitlines()[-1].startswith("deleted 4 artefacts, ")
    assert json.loads(genrec("store", "prune", "--json").out)["pruned"] == []
    assert genrec("recommend", "runs/quick", "--history", "i0,i1").code == 0


def test_another_store_is_named_behind_the_command(genrec, two_runs):
    shown = genrec("store", "--store", "elsewhere", "prune")
    assert shown.code == 2
    assert "write options behind `prune`" in shown.err
    missing = genrec("store", "prune", "--store", "elsewhere")
    assert (missing.code, missing.err) == (
        2,
        "Error: there is no store `elsewhere`\n  → name it with --store\n",
    )
