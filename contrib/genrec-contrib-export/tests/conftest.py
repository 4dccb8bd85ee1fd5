"""Small trained runs, exported once for all tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from genrec_contrib_export.exporting import Exported, export_run

from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store

PIPELINE = """\
genrec: 1
name: shop
seed: 3
data:
  source: {use: core/synthetic, items: 240, users: 120}
  max_history: 6
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 32, vocabulary: 400}
tokenizer: {use: sid/rq-kmeans, encoder: {use: core/ngrams, dims: 16}, levels: 2, codes: 16}
train:
  sft:
    use: core/sft
    corpora: [{use: core/next-item, each: prefix, instruction: "Bought so far: "}]
    epochs: 1
    max_steps: 20
    batch_size: 16
    learning_rate: 0.01
recommend: {use: core/beam, beams: 12}
evaluate: {at: [5], resamples: 10, baselines: [core/popular]}
"""
UNTIED = ("model.tie=false", "train.sft.scoring=legal")
SEQ2SEQ = ("model.use=core/tiny-seq2seq",)


@dataclass
class Shop:
    """Where runs are, and how to make another."""

    folder: Path

    @property
    def environment(self) -> RunEnvironment:
        return RunEnvironment(load_plugins()[0], Store(self.folder / "store"), self.folder / "runs")

    def run(self, *changes: str, file: Path | None = None) -> RunReader:
        pipeline = load_pipeline(file or self.folder / "pipeline.yaml", load_plugins()[0], list(changes))
        return open_run(run_pipeline(pipeline, self.environment).folder, load_plugins()[0])


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("shop"))
    (one.folder / "pipeline.yaml").write_text(PIPELINE)
    return one


@pytest.fixture(scope="session")
def tied(shop):
    return shop.run()


@pytest.fixture(scope="session")
def exported(shop, tied):
    """The run with a tied head, as it was exported."""
    return export_run(tied, shop.folder / "tied")


@pytest.fixture(scope="session", params=["tied", "untied, legal scores", "encoder-decoder"])
def any_exported(request, shop):
    """(run, what was exported) of each kind of model."""
    if request.param == "tied":
        found: tuple[RunReader, Exported] = (
            request.getfixturevalue("tied"), request.getfixturevalue("exported"),
        )  # fmt: skip
        return found
    run = shop.run(*(UNTIED if request.param.startswith("untied") else SEQ2SEQ))
    return run, export_run(run, shop.folder / request.param.split(",")[0])
