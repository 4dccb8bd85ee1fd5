"""The pipeline files: all check, and the paper's runs two steps of every stage on a tiny Qwen3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec_core.testing.chat_checkpoint import save_chat_checkpoint

PLUGIN = Path(__file__).resolve().parents[1]
SHARED = PLUGIN.parents[2] / "shared" / "data"
TOOLS = ("hammer", "drill", "clamp", "spanner", "chisel", "plane", "rasp", "mallet")
SIZES = ("small", "long", "heavy", "folding", "plain")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's shared data sets")
@pytest.mark.parametrize("file", sorted(PLUGIN.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_pipeline_file_checks(genrec, file):
    assert "ok" in genrec("check", file)


@pytest.fixture
def shop(tmp_path):
    """Forty items with titles and categories, twelve users with six items each."""
    folder = tmp_path / "shop"
    folder.mkdir()
    names = [(size, tool) for tool in TOOLS for size in SIZES]
    items = [
        {"item_id": f"i{n}", "title": f"{size} {tool}", "categories": ["Tools", f"{tool}s"]}
        for n, (size, tool) in enumerate(names)
    ]
    users = [
        {"user_id": f"u{u}", "item_ids": [f"i{(3 * u + step) % 40}" for step in range(6)]} for u in range(12)
    ]
    for name, lines in (("items", items), ("sequences", users)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def qwen3(tmp_path):
    """A local checkpoint of the paper's architecture as transformers saves it, chat template included."""
    return save_chat_checkpoint(
        tmp_path / "qwen3", "qwen3", ("Hammers and drills, a user is likely to choose",)
    )


def test_the_papers_pipeline_runs_two_steps_of_every_stage_on_a_tiny_qwen3(genrec, shop, qwen3, tmp_path):
    ngrams = "{use: core/ngrams, fields: [title, categories]}"
    (tmp_path / "general.txt").write_text("Rain falls on hills, and rivers carry it to the sea.")
    changes = {
        "data.source.path": shop,
        "model.path": qwen3,
        "tokenizer.encoder": ngrams,
        "tokenizer.codes": 8,
        "train.align.corpora.3.path": tmp_path / "general.txt",
        "train.activate.corpora.0.encoder": ngrams,
        "train.activate.corpora.0.max_per_user": 2,
        "train.activate.budget": 12,
        "train.enhance.prompts": 4,
        "train.enhance.think_tokens": 12,
        "recommend.budget": 12,
        "evaluate.baselines": "[core/popular]",
        "evaluate.valid": "false",
    }
    for step in ("warm-up", "align", "activate", "enhance"):
        changes |= {f"train.{step}.max_steps": 2, f"train.{step}.precision": "float32"}
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    genrec("run", PLUGIN / "paper.yaml", *sets, "--runs", tmp_path / "runs", "--store", tmp_path / "store")
    run = tmp_path / "runs" / "onerec-think-paper" / "latest"
    metrics = json.loads((run / "metrics.json").read_text())
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps: dict[str, int] = {}
    for line in log:
        if line["event"] == "cost" and "steps" in line:
            steps[line["stage"]] = steps.get(line["stage"], 0) + line["steps"]
    # Activation has two epochs of two steps, with the filter between them.
    assert steps == {"train.warm-up": 2, "train.align": 2, "train.activate": 4, "train.enhance": 2}
    assert [line["looked_at"] for line in log if line["event"] == "filter"] == [24]
    (made,) = (
        line for line in log if line["event"] == "rationales" and "made" in line and line["made"] == 24
    )
    assert made["unused_no_field"] == 0
    (thoughts,) = (line for line in log if line["event"] == "thoughts")
    assert thoughts["thoughts"] == 5 * 12
    assert 0 <= metrics["test"]["recall@10"] <= 1


def test_the_model_in_training_can_be_its_own_teacher(genrec, shop, qwen3, tmp_path):
    words = "{use: onerec-think/rationales, teacher: {use: core/slot-teacher, slot: main, max_tokens: 6}, "
    corpus = words + "caption: title, max_per_user: 1, encoder: {use: core/ngrams, fields: [title]}}"
    pipeline = f"""
genrec: 1
name: own-teacher
data: {{source: {{use: core/folder, path: {shop}}}}}
model: {{use: core/pretrained, path: {qwen3}}}
tokenizer: {{use: sid/rq-kmeans, encoder: {{use: core/ngrams, fields: [title]}}, levels: 2, codes: 8}}
train:
  activate: {{use: onerec-think/activation, corpora: [{corpus}], max_steps: 1, epochs: 1}}
recommend: {{use: core/think, budget: 4, beams: 10}}
evaluate: {{valid: false, resamples: 0}}
"""
    (tmp_path / "own.yaml").write_text(pipeline)
    genrec("run", tmp_path / "own.yaml", "--runs", tmp_path / "runs", "--store", tmp_path / "store")
    log = (tmp_path / "runs" / "own-teacher" / "latest" / "log.jsonl").read_text().splitlines()
    asked = [line for line in map(json.loads, log) if line["event"] == "rationales"]
    assert [line["asked"] for line in asked] == [12, 12]  # training and validation rows
    # Six tokens are the teacher's limit; a random model hardly ever stops by itself.
    assert all(line["unused_unfinished"] > 6 for line in asked)
