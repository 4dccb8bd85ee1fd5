"""A comparison as CSV, Markdown and LaTeX; runs over seeds in it; how runs are called."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import orjson
import pytest
from click.testing import CliRunner

from genrec_core.cli.compare import compare as command
from genrec_core.evaluation.compare import ComparedRun, compare_runs, load_run, named_apart
from genrec_core.evaluation.evaluate import RANKS
from genrec_core.evaluation.intervals import across_seeds
from genrec_core.evaluation.metrics import accuracy
from genrec_core.evaluation.tables import as_csv, as_latex, as_markdown
from genrec_core.store.content import save_arrays

BASELINES = {"core/popular": {"recall@1": 0.1, "ndcg@1": 0.1, "mrr": 0.1}}


def run(name: str, hits: list[list[int]], seeds=("1", "2", "3"), **metrics) -> ComparedRun:
    ranks = np.array(hits, dtype=np.int32)
    spread = across_seeds([accuracy(one, [1]) for one in ranks])
    found = {
        "protocol": {"hash": "3b1f9ac07d52", "split": "core/leave-one-out"},
        "settings": {"at": [1]},
        "test": {metric: figures["mean"] for metric, figures in spread.items()},
        "baselines": BASELINES,
        **({"spread": {"test": spread}} if len(hits) > 1 else {}),
        **metrics,
    }
    return ComparedRun(name, Path(name), found, ranks, tuple(seeds[: len(hits)]) if len(hits) > 1 else ())


@pytest.fixture
def found():
    ours = run("50%_of|all", [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0]])
    theirs = run("plain", [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1]])
    return compare_runs([ours, theirs])


def test_runs_over_the_same_seeds_are_paired_seed_by_seed(found):
    (pair,) = found.tables[0].pairs
    assert pair.test == "Student's t over 4 users and 3 seeds, seed by seed"
    assert pair.differences["recall@1"].difference == pytest.approx((2 + 3 + 2 - 1 - 1 - 2) / 12)


def test_the_test_says_what_it_is_over():
    three, two, one = [[1, 0, 1]] * 3, [[1, 0, 0], [1, 1, 0]], [[0, 0, 1]]
    ours = run("three", three)
    others = [run("two", two), run("other", three, seeds=("4", "5", "6")), run("one", one)]
    pairs = compare_runs([ours, *others]).tables[0].pairs[:3]
    assert [pair.test for pair in pairs] == [
        "Student's t over 3 users, 3 and 2 seeds",
        "Student's t over 3 users, 3 and 3 seeds",
        "Student's t over 3 users and the seeds of one: one has a single seed",
    ]
    (pair,) = compare_runs([run("a", one), run("b", one)]).tables[0].pairs
    assert pair.test == "bootstrap over 3 users, one seed"


def test_baselines_are_rows_once_where_they_are_the_same(found):
    rows = found.tables[0].rows
    assert [(row.label, row.role, row.seeds) for row in rows] == [
        ("50%_of|all", "run", 3), ("plain", "run", 3), ("popular", "baseline", 3),
    ]  # fmt: skip
    other = {"core/popular": {"recall@1": 0.3}, "core/oracle": {"recall@1": 0.2}}
    rows = compare_runs([run("a", [[1, 0]]), run("b", [[1, 0]], baselines=other)]).tables[0].rows
    assert [row.label for row in rows] == ["a", "b", "popular (b)", "popular (a)", "oracle"]


def test_csv_has_one_figure_a_line(found):
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(lines) == 3 * 3 + 3
    ours = next(line for line in lines if line["system"] == "50%_of|all" and line["metric"] == "recall@1")
    assert float(ours["value"]) == pytest.approx(7 / 12)
    assert float(ours["std"]) == pytest.approx(np.std([0.5, 0.75, 0.5], ddof=1))
    assert float(ours["low"]) < 7 / 12 < float(ours["high"])
    assert (ours["seeds"], ours["role"], ours["against"]) == ("3", "run", "")
    pair = next(line for line in lines if line["against"] == "plain")
    assert (pair["metric"], pair["test"]) == (
        "recall@1",
        "Student's t over 4 users and 3 seeds, seed by seed",
    )
    assert float(pair["p"]) < 1


def test_markdown_has_a_row_a_system_and_the_best_run_in_bold(found):
    lines = as_markdown(found).splitlines()
    assert lines[2] == "|  | Recall@1 | NDCG@1 | MRR |"
    assert lines[4].startswith(r"| 50%\_of\|all | **0.5833** ± 0.1443 [")
    assert lines[5].startswith("| plain | 0.3333 ± 0.1443 [")
    assert lines[6] == "| popular | 0.1000 | 0.1000 | 0.1000 |"
    assert "| +0.2500 |" in as_markdown(found)


def test_latex_escapes_names_and_parts_runs_from_baselines(found):
    text = as_latex(found)
    assert text.count(r"\begin{tabular}{lrrr}") == 1
    assert r"50\%\_of|all & \textbf{0.5833} $\pm$ 0.1443 [" in text
    assert "\\midrule\npopular & 0.1000 & 0.1000 & 0.1000 \\\\" in text
    assert "% paired: Student's t over 4 users and 3 seeds, seed by seed" in text
    assert text.count("{") == text.count("}")


@pytest.fixture
def runs(tmp_path):
    """Two runs of `shop`, the newer over two seeds, and one of `sid`."""

    def write(folder, name, one):
        folder.mkdir(parents=True)
        (folder / "pipeline.yaml").write_text(f"genrec: 1\nname: {name}\n")
        seeds = {seed: f"seed-{seed}" for seed in one.seeds}
        (folder / "metrics.json").write_bytes(
            orjson.dumps({**one.metrics, **({"seeds": seeds} if seeds else {})})
        )
        for number, ranks in enumerate(one.ranks):
            home = folder / f"seed-{one.seeds[number]}" if seeds else folder
            home.mkdir(exist_ok=True)
            save_arrays(home / RANKS, {"model": ranks}, {})

    write(tmp_path / "shop" / "20260101", "shop", run("", [[1, 0, 0]]))
    write(tmp_path / "shop" / "20260102", "shop", run("", [[1, 0, 0], [1, 1, 0]]))
    write(tmp_path / "sid" / "20260103", "sid", run("", [[0, 0, 1]]))
    return tmp_path


def test_runs_are_called_like_their_pipelines_and_apart_where_these_are_alike(runs):
    folders = [runs / "shop" / "20260101", runs / "shop" / "20260102", runs / "sid" / "20260103"]
    loaded = named_apart([load_run(folder) for folder in folders])
    assert [one.name for one in loaded] == ["shop (20260101)", "shop (20260102)", "sid"]
    assert [one.seeds for one in loaded] == [(), ("1", "2"), ()]
    assert loaded[1].ranks.shape == (2, 3)
    twice = named_apart([load_run(folders[0]), load_run(folders[0])])
    assert [one.name for one in twice] == ["shop (1)", "shop (2)"]


def test_a_seed_whose_ranks_are_gone_leaves_its_run_unpaired(runs):
    (runs / "shop" / "20260102" / "seed-2" / RANKS).unlink()
    loaded = [load_run(runs / "shop" / "20260102", "a"), load_run(runs / "sid" / "20260103", "b")]
    assert compare_runs(loaded).tables[0].unpaired == ("a",)


@pytest.mark.parametrize(
    ("flag", "begins"),
    [("--csv", "protocol,system"), ("--markdown", "Test figures under"), ("--latex", "% protocol 3b1f")],
)
def test_the_command_prints_each_form(runs, flag, begins):
    arguments = [str(runs / "shop" / "20260102"), str(runs / "sid" / "20260103"), flag]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.startswith(begins)
    assert "popular" in done.output


def test_the_terminal_names_seeds_and_the_test(runs):
    arguments = [str(runs / "shop" / "20260102"), str(runs / "sid" / "20260103")]
    done = CliRunner().invoke(command, arguments, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert "2 seeds" in done.output
    assert "sid has a single seed" in done.output
    assert "popular" in done.output
