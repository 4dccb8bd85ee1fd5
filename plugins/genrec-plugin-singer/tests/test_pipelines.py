"""The pipeline files: all check, and the paper's runs two steps of every stage on a tiny Qwen2."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from genrec_core.testing.chat_checkpoint import save_chat_checkpoint

PLUGIN = Path(__file__).resolve().parents[1]
SHARED = PLUGIN.parents[2] / "shared" / "data" / "amazon-industrial"
TOOLS = ("hammer", "drill", "clamp", "spanner", "chisel", "plane", "rasp", "mallet")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's shared data sets")
@pytest.mark.parametrize("name", ["paper", "tiny", "unseen_domain"])
def test_every_pipeline_file_checks(genrec, name):
    assert "ok" in genrec("check", PLUGIN / f"{name}.yaml")


@pytest.fixture
def shop(tmp_path):
    """A data folder of forty items and twelve users, with validation and test rows of its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    titles = [f"{size} {tool}" for tool in TOOLS for size in ("small", "long", "heavy", "folding", "plain")]
    items = [
        {"item_id": f"i{n}", "title": title, "description": f"A {title} for job {n % 7}." if n % 9 else ""}
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


@pytest.fixture
def qwen2(tmp_path):
    """A local checkpoint of the paper's architecture as transformers saves it, chat template included."""
    return save_chat_checkpoint(tmp_path / "qwen2", "qwen2")


def test_the_papers_pipeline_runs_two_steps_of_every_stage_on_a_tiny_qwen2(genrec, shop, qwen2, tmp_path):
    changes = {
        "data.source.path": shop,
        "model.path": qwen2,
        "tokenizer.encoder": "{use: core/ngrams, fields: [title, description]}",
        "tokenizer.codes": 8,
        "train.sft.max_steps": 2,
        "train.sft.precision": "float32",
        "train.rl.max_steps": 2,
        "train.rl.precision": "float32",
        "evaluate.baselines": "[core/popular]",
    }
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    genrec("run", PLUGIN / "paper.yaml", *sets, "--runs", tmp_path / "runs", "--store", tmp_path / "store")
    run = tmp_path / "runs" / "singer-paper" / "latest"
    metrics = json.loads((run / "metrics.json").read_text())
    steps = {
        line["stage"]: line["steps"]
        for line in map(json.loads, (run / "log.jsonl").read_text().splitlines())
        if line["event"] == "cost"
    }
    assert steps == {"train.sft": 2, "train.rl": 2}
    assert 0 <= metrics["test"]["recall@10"] <= 1
    assert metrics["identifiers"]["collision_rate"] == 0


def test_the_unseen_domain_pipeline_judges_the_second_catalogue_alone(genrec, shop, tmp_path):
    changes = {
        "data.source.parts.trained.path": shop,
        "data.source.parts.evaluated.path": shop,
        "model": "{use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, context: 128}",
        "tokenizer.codes": "[8, 8, 8]",
        "train.sft.max_steps": 2,
        "train.rl.max_steps": 2,
    }
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    folders = ("--runs", tmp_path / "runs", "--store", tmp_path / "store")
    genrec("run", PLUGIN / "unseen_domain.yaml", *sets, *folders)
    run = tmp_path / "runs" / "singer-unseen-domain" / "latest"
    with gzip.open(run / "recommendations.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 12
    assert all(item.startswith("evaluated:") for row in rows for item in row["items"])
