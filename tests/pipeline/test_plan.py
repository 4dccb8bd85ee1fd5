"""What runs again, and the reason that is given for it."""

from __future__ import annotations

import importlib
import linecache
import shutil
import sys

import pytest

from genrec_core import Encoder, Options, Tokenizer
from genrec_core.builtin.ngrams import NGrams
from genrec_core.contracts import source_code
from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.plan import Why
from genrec_core.pipeline.run import StageSelection, planned, run_pipeline
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store
from tests.pipeline.conftest import QUICK

ALL = [
    "data",
    "embed",
    "tokenize",
    "model",
    "train.count",
    "recommend",
    "ground",
    "baseline.popular",
    "rank.popular",
    "evaluate",
]
AFTER_MODEL = {"train.count", "recommend", "ground", "evaluate"}


def test_stages_come_after_what_they_read_and_all_run_the_first_time(run):
    done = run().done
    assert list(done.outcomes) == ALL
    assert set(done.outcomes.values()) == {"run"}
    assert {entry.reason.why for entry in done.plan.entries} == {Why.FIRST_RUN}


def test_nothing_runs_again_without_a_change(run_again):
    assert run_again() == {}


@pytest.mark.parametrize(
    ("change", "expected", "first", "what"),
    [
        ("train.count.epochs=2", AFTER_MODEL, "train.count", "train.count.epochs"),
        ("recommend.beams=6", {"recommend", "ground", "evaluate"}, "recommend", "recommend.beams"),
        ("evaluate.resamples=30", {"evaluate"}, "evaluate", "resamples"),
        ("tokenizer.base=5", {"tokenize", "model", *AFTER_MODEL}, "tokenize", "tokenizer.base"),
        (
            "tokenizer.encoder.power=2.0",
            {"embed", "tokenize", "model", *AFTER_MODEL},
            "embed",
            "encoder.power",
        ),
        ("data.max_history=2", set(ALL), "data", "max_history"),
        ("train.count.corpora.0.weight=0.5", AFTER_MODEL, "train.count", "train.count.corpora.0.weight"),
    ],
)
def test_a_changed_option_reruns_exactly_what_depends_on_it(
    pipeline_file, run_again, change, expected, first, what
):
    pipeline_file.write_text(
        pipeline_file.read_text()
        .replace("base: 4", "base: 4, encoder: quick/lengths")
        .replace("[quick/next]", "[{use: quick/next}]")
    )
    ran = run_again(change)
    assert set(ran) == expected
    assert (ran[first].why, ran[first].what) == (Why.OPTION_CHANGED, what)
    assert {reason.why for name, reason in ran.items() if name != first} <= {
        Why.INPUT_CHANGED,
        Why.OPTION_CHANGED,
    }


def test_a_changed_input_stage_is_named(run_again):
    ran = run_again("train.count.epochs=2")
    assert (ran["recommend"].why, ran["recommend"].what) == (Why.INPUT_CHANGED, "train.count")
    assert ran["recommend"].text == "its input `train.count` changed"


def test_another_component_is_told_as_such(run_again):
    ran = run_again("train.count.use=quick/renaming")
    assert ran["train.count"].what == "train.count.use"
    assert (ran["train.count"].old, ran["train.count"].new) == ("quick/counting", "quick/renaming")


def test_another_seed_reruns_what_depends_on_one(run_again):
    ran = run_again("seed=5")
    assert "data" not in ran
    assert (ran["train.count"].why, ran["train.count"].old is not None) == (Why.SEED_CHANGED, True)


def test_a_raised_version_is_the_reason(run, load, environment, registry, monkeypatch):
    run()
    monkeypatch.setattr(registry.resolve("recommender", "quick/follow"), "version", "2")
    _, plan, _ = planned(load(), environment, 0)
    reason = plan.entry("recommend").reason
    assert (reason.why, reason.what, reason.old, reason.new) == (
        Why.VERSION_CHANGED, "recommend", "1", "2",
    )  # fmt: skip


def test_changed_file_content_reruns_its_readers_and_names_the_file(pipeline_file, run, tmp_path):
    prices = tmp_path / "prices.txt"
    prices.write_text("1")
    pipeline_file.write_text(
        pipeline_file.read_text().replace("quick/shop", "{use: quick/shop, prices: prices.txt}")
    )
    run()
    prices.write_text("2")
    reason = run().done.plan.entry("data").reason
    assert (reason.why, reason.what) == (Why.INPUT_CHANGED, "data.source/0/prices.txt")


def test_a_stage_whose_artefact_is_gone_says_so(run):
    first = run()
    shutil.rmtree(first.done.folders["recommend"])
    again = run().done
    assert again.outcomes["recommend"] == "run"
    assert again.plan.entry("recommend").reason.why is Why.MISSING
    assert again.outcomes["evaluate"] == "reused"


def test_from_makes_a_stage_and_its_dependents_anew(run_again):
    ran = run_again(selection=StageSelection(start="count"))
    assert set(ran) == AFTER_MODEL
    assert {reason.why for reason in ran.values()} == {Why.FORCED}


def test_only_runs_one_stage_on_what_is_there(run):
    run()
    done = run("recommend.beams=6", selection=StageSelection(only="recommend"))
    assert done.done.outcomes["recommend"] == "run"
    assert "ground" not in done.done.outcomes
    assert done.folder is None


def test_only_refuses_when_an_input_is_missing(run):
    run()
    expected = r"reads the artefact of `train.count`.*option `train.count.epochs`"
    with pytest.raises(GenrecError, match=expected):
        run("train.count.epochs=3", selection=StageSelection(only="recommend"))


def test_an_unknown_stage_is_refused_with_the_nearest_name(run):
    with pytest.raises(GenrecError, match="no stage `recomend`") as caught:
        run(selection=StageSelection(start="recomend"))
    assert "did you mean `recommend`?" in str(caught.value)


def test_operational_options_and_the_files_place_do_not_count(
    pipeline_file, run, load, environment, tmp_path
):
    run()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copy(pipeline_file, moved / "p.yaml")
    from genrec_core.pipeline.load import load_pipeline

    _, plan, _ = planned(load_pipeline(moved / "p.yaml", environment.registry), environment, 0)
    assert not any(entry.runs for entry in plan.entries)


TOY = """
from genrec_core import Source, hookimpl
from pathlib import Path
from quick_plugin import Shop

class Toy(Shop):
    class Options(Shop.Options):
        prices: Path | None = None
    def load(self, context):
        return super().load(context)
# extra

@hookimpl
def genrec_register(registry):
    registry.source("shop", "toy_plugin:Toy")
"""


@pytest.fixture
def toy(tmp_path, monkeypatch, pipeline_file):
    """Plans the quick pipeline with a source of a plugin that is written anew each time."""
    home = tmp_path / "toy"
    info = home / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genrec]\ntoy = toy_plugin\n")
    monkeypatch.syspath_prepend(str(QUICK))
    monkeypatch.syspath_prepend(str(home))

    def written(source, *changes, helpers=None):
        if helpers is None:
            (home / "toy_plugin.py").write_text(source)
        else:
            (home / "toy_plugin").mkdir(exist_ok=True)
            for name, text in {"__init__": source, **helpers}.items():
                (home / "toy_plugin" / f"{name}.py").write_text(text)
        for name in [name for name in sys.modules if name.partition(".")[0] == "toy_plugin"]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        source_code.module_text.cache_clear()
        source_code._imports.cache_clear()
        linecache.clearcache()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        registry, reports = load_plugins({"GENREC_PLUGINS": "quick,toy"})
        assert not [report.error for report in reports if report.error and not report.disabled]
        environment = RunEnvironment(registry, Store(tmp_path / "store"), tmp_path / "runs")
        return load_pipeline(pipeline_file, registry, ("data.source.use=toy/shop", *changes)), environment

    return written


EDITED = {
    "a default inside a function": ("def load(self, context)", "def load(self, context, more=3)"),
    "a constant": ("# extra", "LIMIT = 3"),
}


@pytest.mark.parametrize("edit", EDITED)
def test_edited_code_without_a_new_version_reuses_nothing(toy, edit):
    run_pipeline(*toy(TOY))
    old, new = EDITED[edit]
    done = run_pipeline(*toy(TOY.replace(old, new))).done
    assert done.outcomes["data"] == "run"
    assert done.plan.entry("data").reason.text == "the code of `data.source` was edited"
    assert run_pipeline(*toy(TOY.replace(old, new))).done.outcomes["data"] == "reused"


HELPED = TOY.replace("def load", "def more(self):\n        from toy_plugin import prices\n    def load")
HELPERS = {
    "prices": "from .steps import step\n",
    "steps": "def step(size=3):\n    return size\n",
    "other": "SIZE = 3\n",
}


def test_an_edited_helper_module_reuses_nothing_and_one_that_is_not_imported_everything(toy):
    run_pipeline(*toy(HELPED, helpers=HELPERS))
    other = {**HELPERS, "other": "SIZE = 4\n"}
    assert run_pipeline(*toy(HELPED, helpers=other)).done.outcomes["data"] == "reused"
    done = run_pipeline(*toy(HELPED, helpers={**other, "steps": "def step(size=4):\n    return size\n"})).done
    assert done.outcomes["data"] == "run"
    assert done.plan.entry("data").reason.text == "the code of `data.source` was edited"


def test_a_path_option_is_hashed_though_the_component_says_nothing_of_inputs(toy, tmp_path):
    prices = tmp_path / "prices.npy"
    prices.write_text("1")
    change = f"data.source.prices={prices}"
    run_pipeline(*toy(TOY, change))
    assert run_pipeline(*toy(TOY, change)).done.outcomes["data"] == "reused"
    prices.write_text("2")
    done = run_pipeline(*toy(TOY, change)).done
    assert (done.outcomes["data"], done.plan.entry("data").reason.what) == ("run", "data.source/0/prices.npy")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{use: core/folder, path: nowhere}", "data folder `nowhere` does not exist"),
        ("{use: core/folder, path: p.yaml}", "data folder `p.yaml` is a file, not a data folder"),
        ("{use: core/folder, path: empty}", "folder has no `items.jsonl`"),
        (
            "{use: core/merged, parts: {a: {use: core/folder, path: nowhere}, b: {use: core/synthetic}}}",
            "data folder `nowhere` does not exist",
        ),
    ],
)
def test_a_wrong_data_path_is_refused_with_its_line(load, pipeline_file, source, says):
    (pipeline_file.parent / "empty").mkdir()
    (pipeline_file.parent / "p.yaml").touch()
    text = pipeline_file.read_text().replace("quick/shop", source)
    pipeline_file.write_text(text)
    with pytest.raises(GenrecError) as caught:
        load().refuse_missing_files()
    line = next(n for n, line in enumerate(text.splitlines(), 1) if source in line)
    assert f"{pipeline_file.name}:{line}:" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("path", ["none.txt", "~nobody/x", "x" * 300])
def test_a_path_that_leads_nowhere_is_refused_with_its_line(load, pipeline_file, path):
    text = pipeline_file.read_text().replace("quick/shop", f"{{use: quick/shop, prices: {path}}}")
    pipeline_file.write_text(text)
    with pytest.raises(GenrecError, match="is not there, but the source `quick/shop` reads it") as caught:
        load().refuse_missing_files()
    assert caught.value.where == f"{pipeline_file}:3:{text.splitlines()[2].index(path) + 1}"


class Block(Options):
    encoder: Encoder


class Outer(Tokenizer):
    class Options(Tokenizer.Options):
        block: Block

    def fit(self, items, train, context):
        raise NotImplementedError


def test_a_component_in_a_block_of_options_is_found():
    inner = NGrams()
    assert list(Outer(block=Block(encoder=inner)).nested()) == [("block.encoder", inner)]
