"""A pipeline that is tried on a part of its data: everything that comes of it says so."""

from __future__ import annotations

import json

import pytest

from genrec_core.contracts.errors import GenrecError
from genrec_core.evaluation.compare import compare_runs, load_run
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline, run_seeds
from genrec_core.pipeline.run_reader import open_run

TRIED = "tried on 8 users only (--limit): no judgement of the pipeline"


@pytest.fixture
def tried(run):
    return run("data.limit=8").folder


def test_the_run_is_called_so_and_does_not_become_the_latest_of_the_pipeline(tried, run, tmp_path):
    assert tried.parent.name == "quick-limit-8"
    whole = run().folder
    assert (tmp_path / "runs" / "quick" / "latest").resolve() == whole
    assert (tmp_path / "runs" / "quick-limit-8" / "latest").resolve() == tried


def test_metrics_protocol_and_report_say_so(tried, run):
    metrics = json.loads((tried / "metrics.json").read_text())
    assert metrics["protocol"]["limit"] == 8
    assert metrics["counts"]["test"]["examples"] == 8
    page = (tried / "report.html").read_text()
    assert TRIED in page
    assert "quick-limit-8" in page
    assert "only 8 of 20 users and 12 of 12 items were used" in page
    whole = run().folder
    assert "limit" not in json.loads((whole / "metrics.json").read_text())["protocol"]
    assert "tried on" not in (whole / "report.html").read_text()


def test_it_shares_no_artefact_of_data_with_the_whole(run):
    run()
    assert run("data.limit=8").done.outcomes["data"] == "run"
    assert set(run("data.limit=8").done.outcomes.values()) == {"reused"}


def test_an_opened_run_says_so(tried, run, registry):
    assert open_run(tried, registry).limit_note == TRIED
    assert open_run(run().folder, registry).limit_note == ""


def test_the_resolved_pipeline_runs_again_under_the_same_name(tried, environment):
    again = load_pipeline(tried / "pipeline.yaml", environment.registry)
    assert (again.spec.name, again.spec.data.limit) == ("quick-limit-8", 8)
    assert set(run_pipeline(again, environment).done.outcomes.values()) == {"reused"}


def test_seeds_of_a_part_say_so(load, environment):
    finished = run_seeds(load("data.limit=8"), environment, [1, 2])
    assert TRIED in (finished.folder / "report.html").read_text()


def test_compare_refuses_to_mix(tried, run):
    whole, other = run().folder, run("data.limit=9").folder
    with pytest.raises(GenrecError, match=r"same data: `quick` all data, `quick-limit-8` 8 users"):
        compare_runs([load_run(whole), load_run(tried)])
    with pytest.raises(GenrecError, match="`quick-limit-8` 8 users, `quick-limit-9` 9 users"):
        compare_runs([load_run(tried), load_run(other)])
    assert compare_runs([load_run(tried, "a"), load_run(tried, "b")]).tables[0].pairs


def test_a_name_that_grows_too_long_is_cut(load):
    loaded = load(f"name={'x' * 64}", "data.limit=8")
    assert loaded.spec.name == "x" * 56 + "-limit-8"


@pytest.mark.parametrize("limit", ["0", "-3", "many", "true", "2.5"])
def test_what_is_no_number_of_users_is_refused(load, limit):
    with pytest.raises(GenrecError, match="limit"):
        load(f"data.limit={limit}")
