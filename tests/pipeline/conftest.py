"""A pipeline of quick components, and places to run it in."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store

QUICK = Path(__file__).parent / "quick"

PIPELINE = """\
genrec: 1
name: quick
data: {source: quick/shop, max_history: 3}
model: quick/counts
tokenizer: {use: quick/numbers, base: 4}
train:
  count: {use: quick/counting, corpora: [quick/next]}
recommend: {use: quick/follow}
evaluate: {at: [1, 5], resamples: 20}
"""


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.syspath_prepend(str(QUICK))
    return load_plugins({"GENREC_PLUGINS": "quick"})[0]


@pytest.fixture
def environment(registry, tmp_path):
    return RunEnvironment(registry, Store(tmp_path / "store"), tmp_path / "runs")


@pytest.fixture
def pipeline_file(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text(PIPELINE)
    return file


@pytest.fixture
def load(registry, pipeline_file):
    return lambda *changes: load_pipeline(pipeline_file, registry, changes)


@pytest.fixture
def run(load, environment):
    def go(*changes, **more):
        return run_pipeline(load(*changes), environment, **more)

    return go


@pytest.fixture
def run_again(run):
    """Run with changes after a first run; gives back which stages ran, with the reasons."""

    def go(*changes, **more):
        run()
        done = run(*changes, **more).done
        return {
            entry.stage.name: entry.reason
            for entry in done.plan.entries
            if done.outcomes.get(entry.stage.name) == "run"
        }

    return go
