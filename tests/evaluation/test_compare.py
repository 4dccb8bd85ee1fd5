"""Comparing runs, in Python, on the command line and as a page."""

from __future__ import annotations

import orjson
import pytest
from browser import rendered
from click.testing import CliRunner
from report_facts import evaluated

from genrec_core.cli.compare import compare as command
from genrec_core.contracts.errors import DataError
from genrec_core.evaluation.compare import compare_runs, load_run
from genrec_core.evaluation.evaluate import RANKS
from genrec_core.evaluation.report.page import write_comparison


def trimmed(text):
    return "\n".join(line.rstrip() for line in text.splitlines())


def write_run(folder, skill: float, *, ranks: bool = True, **protocol: object):
    result, _ = evaluated(skill=skill, **protocol)
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_bytes(orjson.dumps(result.metrics))
    if ranks:
        result.save_ranks(folder / RANKS)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    write_run(home / "weak" / "1", 0.2)
    write_run(home / "strong" / "1", 0.5)
    write_run(home / "filtered" / "1", 0.5, filter_viewed=True, hash="ffffffffffff")
    write_run(home / "silent" / "1", 0.3, ranks=False)
    (home / "weak" / "latest").symlink_to("1")
    return home


def test_runs_under_one_protocol_share_a_table_and_are_paired(runs):
    found = compare_runs([load_run(runs / "strong" / "1", "strong"), load_run(runs / "weak" / "1", "weak")])
    assert len(found.tables) == 1
    assert found.differing == {}
    pair = found.tables[0].pairs[0]
    assert (pair.ours, pair.theirs) == ("strong", "weak")
    assert pair.differences["recall@10"].interval[0] > 0


def test_another_protocol_gets_its_own_table_and_the_differing_field_is_named(runs):
    found = compare_runs([load_run(runs / name / "1") for name in ("strong", "filtered", "weak")])
    assert [len(table.runs) for table in found.tables] == [2, 1]
    assert found.differing == {"filter_viewed": [False, True]}
    assert found.tables[1].pairs == ()


def test_a_run_that_kept_no_ranks_is_shown_but_not_paired(runs):
    found = compare_runs([load_run(runs / "strong" / "1"), load_run(runs / "silent" / "1", "silent")])
    assert found.tables[0].pairs == ()
    assert found.tables[0].unpaired == ("silent",)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no finished run"):
        load_run(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"test": {}}'])
def test_damaged_metrics_are_refused(tmp_path, content):
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(DataError, match=r"no JSON|name no protocol"):
        load_run(tmp_path)


def test_the_command_prints_one_table_a_protocol_and_names_the_difference(runs):
    names = [str(runs / name / "1") for name in ("strong", "weak", "filtered")]
    done = CliRunner().invoke(command, names, env={"COLUMNS": "160"}, catch_exceptions=False)
    assert done.exit_code == 0
    assert "2 protocols" in done.output
    assert "filter_viewed: False  against  True" in done.output
    assert done.output.count("protocol 3b1f9ac07d52") == 1
    assert done.output.count("protocol ffffffffffff") == 1
    assert "strong/1 against weak/1\nbootstrap over 900 users, one seed" in trimmed(done.output)


def test_figures_are_not_cut_off_in_a_narrow_terminal(runs):
    names = [str(runs / name / "1") for name in ("strong", "weak", "silent")]
    done = CliRunner().invoke(command, names, env={"COLUMNS": "80"}, catch_exceptions=False)
    found = orjson.loads((runs / "weak" / "1" / "metrics.json").read_bytes())
    low, high = found["intervals"]["test"]["ndcg@10"]
    assert f"{found['test']['ndcg@10']:.4f}" in done.output
    assert f"{low:.4f}–{high:.4f}".replace("0.", ".") in done.output
    assert "not paired, because it kept no ranks: silent/1" in done.output


def test_the_command_finds_the_latest_run_of_a_pipeline_by_name(runs):
    arguments = ["weak", "strong/1", "--runs", str(runs), "--json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    tables = orjson.loads(done.output)["tables"]
    assert [run["name"] for run in tables[0]["runs"]] == ["weak/1", "strong/1"]
    assert set(tables[0]["pairs"][0]["differences"]["ndcg@10"]) == {"difference", "interval", "p"}


def test_the_same_run_twice_keeps_two_names(runs):
    done = CliRunner().invoke(command, ["weak", "weak", "--runs", str(runs), "--json"])
    assert [run["name"] for run in orjson.loads(done.output)["tables"][0]["runs"]] == [
        "weak/1 (1)",
        "weak/1 (2)",
    ]


def test_the_page_renders_in_a_browser(runs, tmp_path):
    page = tmp_path / "compare.html"
    found = compare_runs([load_run(runs / name / "1", name) for name in ("strong", "filtered", "weak")])
    write_comparison(page, found)
    dom, console = rendered(page, tmp_path / "profile")
    assert console == []
    assert "strong against weak" in dom
    assert "filter viewed" in dom
