"""The pipeline files: all check, and the paper's runs two steps of every stage on a tiny Qwen3."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from genrec_plugin_sidreasoner.align import Align
from genrec_plugin_sidreasoner.general import General
from genrec_plugin_sidreasoner.item_enrichment import ItemEnrichment
from genrec_plugin_sidreasoner.tasks import SIDTasks
from genrec_plugin_sidreasoner.templates import Templates

from genrec_core import Context, Training
from genrec_core.testing.chat_checkpoint import save_chat_checkpoint

PLUGIN = Path(__file__).resolve().parents[1]
SHARED = PLUGIN.parents[2] / "shared" / "data" / "amazon-industrial"
TOOLS = ("hammer", "drill", "clamp", "spanner", "chisel", "plane", "rasp", "mallet")
TEMPLATES = "{use: sidreasoner/templates}"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's shared data sets")
@pytest.mark.parametrize("name", ["paper", "tiny", "smollm2", "unified", "world"])
def test_every_pipeline_file_checks(genrec, name):
    assert "ok" in genrec("check", PLUGIN / f"{name}.yaml")


@pytest.fixture
def shop(tmp_path):
    """A data folder of forty items and twelve users, with validation and test rows of its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    titles = [f"{size} {tool}" for tool in TOOLS for size in ("small", "long", "heavy", "folding", "plain")]
    items = [
        {"item_id": f"i{n}", "title": title, "brand": "Acme", "description": f"A {title} for job {n % 7}."}
        for n, title in enumerate(titles)
    ]
    sequences = [[f"i{(3 * user + step) % 40}" for step in range(6)] for user in range(12)]
    rows = {
        "items": items,
        "sequences": [{"user_id": f"u{n}", "item_ids": taken} for n, taken in enumerate(sequences)],
        "valid": [_row(n, taken, 4) for n, taken in enumerate(sequences)],
        "test": [_row(n, taken, 5) for n, taken in enumerate(sequences)],
    }
    for name, lines in rows.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return folder


def _row(user, taken, target):
    return {"user_id": f"u{user}", "history": taken[:target], "target": taken[target]}


def test_the_papers_pipeline_runs_two_steps_of_every_stage_on_a_tiny_qwen3(genrec, shop, tmp_path):
    changes = {
        "data.source.path": shop,
        "model.path": save_chat_checkpoint(tmp_path / "qwen3", "qwen3"),
        "tokenizer.encoder": "{use: core/ngrams, fields: [title, description]}",
        "tokenizer.codes": 8,
        "tokenizer.hidden": "[16]",
        "tokenizer.latent": 8,
        "tokenizer.epochs": 3,
        "train.align.corpora.1.teacher": TEMPLATES,
        "train.align.corpora.2.teacher": TEMPLATES,
        "train.align.corpora.3.count": 40,
        "train.align.max_steps": 2,
        "train.align.precision": "float32",
        "train.activate.corpora.0.teacher": TEMPLATES,
        "train.activate.max_steps": 2,
        "train.activate.batch_size": 4,
        "train.activate.accumulation": 1,
        "train.activate.precision": "float32",
        "train.reinforce.think_tokens": 6,
        "train.reinforce.group": 3,
        "train.reinforce.prompts": 4,
        "train.reinforce.max_steps": 2,
        "train.reinforce.precision": "float32",
        "recommend.budget": 6,
        "evaluate.baselines": "[core/popular]",
    }
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    genrec("run", PLUGIN / "paper.yaml", *sets, "--runs", tmp_path / "runs", "--store", tmp_path / "store")
    run = tmp_path / "runs" / "sidreasoner-paper" / "latest"
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = {line["stage"]: line["steps"] for line in lines if line["event"] == "cost"}
    assert steps == {"train.align": 2, "train.activate": 2, "train.reinforce": 2}
    rounds = [line for line in lines if line["event"] == "train" and line["stage"] == "train.reinforce"]
    assert all(0 <= line["thought tokens"] <= 6 and 0 <= line["thoughts cut"] <= 1 for line in rounds)
    counted = [line["thoughts"] for line in lines if line["event"] == "thoughts"]
    assert counted == [12, 12], "of validation and test rows"
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 <= metrics["test"]["recall@10"] <= 1
    assert metrics["cost"]["recommend"]["tokens"] > 0


def test_the_rungs_take_corpora_away(catalogue, views, model, monkeypatch):
    from genrec_core.builtin import sft

    seen = []
    monkeypatch.setattr(sft.SFT, "train", lambda self, *_: seen.append(self.options.corpora))
    corpora = (SIDTasks(), ItemEnrichment(teacher=Templates()), General(count=5))
    for rung, count in (("multi-task", 1), ("enriched", 2), ("general", 3)):
        training = Training(views.train, views.valid)
        Align(corpora=corpora, rung=rung).train({"main": model}, catalogue, training, Context())
        assert seen.pop() == corpora[:count]
    trained = Align(corpora=corpora, rung="vanilla").train({"main": model}, catalogue, training, Context())
    assert trained.models == {"main": model}
    assert not seen
