"""The pipeline files: all check, the paper's runs two steps of every phase on a tiny T5, then zero-shot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[1]
SHARED = PLUGIN.parents[2] / "shared" / "data" / "amazon-industrial"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's shared data sets")
@pytest.mark.parametrize("name", ["paper", "tiny"])
def test_every_pipeline_file_checks(genrec, name):
    assert "ok" in genrec("check", PLUGIN / f"{name}.yaml")


@pytest.fixture
def folders(items, tmp_path):
    """Three shops of seven items and eight users each, as data folders."""
    made = {}
    for number, name in enumerate(("beauty", "industrial", "unseen")):
        folder = tmp_path / name
        folder.mkdir()
        own = range(7 * number, 7 * number + 7)
        rows = [
            {"item_id": f"i{n}", **{field: values[n] for field, values in items.fields.items()}} for n in own
        ]
        walks = [
            {"user_id": f"u{user}", "item_ids": [f"i{own[(user + step) % 7]}" for step in range(5)]}
            for user in range(8)
        ]
        (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "sequences.jsonl").write_text("".join(json.dumps(row) + "\n" for row in walks))
        made[name] = folder
    return made


def test_the_paper_s_pipeline_runs_two_steps_of_every_phase_and_then_zero_shot(
    genrec, folders, named, tmp_path
):
    # A T5 checkpoint that can write tags of such items stands in for both of the paper's.
    named.model.save(tmp_path / "t5")
    changes = {
        "data.source.parts.beauty.path": folders["beauty"],
        "data.source.parts.industrial.path": folders["industrial"],
        "model.path": tmp_path / "t5",
        "tokenizer.generator.path": tmp_path / "t5",
        "tokenizer.behind": '"\\nTags: "',
        "train.alternate.rounds": 2,
        "train.alternate.batch_size": 8,
        "train.alternate.max_steps": 2,
        "train.alternate.id_generator.batch_size": 8,
        "train.alternate.id_generator.max_steps": 2,
        "evaluate.baselines": "[core/popular]",
    }
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    places = ("--runs", tmp_path / "runs", "--store", tmp_path / "store")
    genrec("run", PLUGIN / "paper.yaml", *sets, *places)
    run = tmp_path / "runs" / "idgenrec-paper" / "latest"
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(line["round"], line["turn"]) for line in log if line["event"] == "phase"] == [
        (1, "generator"), (1, "recommender"), (2, "generator"), (2, "recommender")
    ]  # fmt: skip
    assert [line["steps"] for line in log if line["event"] == "cost"] == [2, 2]
    assert [line["steps"] for line in log if line["event"] == "generator learnt"] == [2, 2]
    written = [line for line in log if line["event"] == "identifiers written"]
    assert [line.get("version") for line in written] == [None, 2, 3]
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["identifiers"]["collision_rate"] == 0
    assert 0 <= metrics["test"]["recall@10"] <= 1
    assert "Renamed items" in (run / "report.html").read_text()
    assert "generator" in genrec("save-models", run, "--to", tmp_path / "models")
    changes = {
        "data.source.path": folders["unseen"],
        "model.path": tmp_path / "models" / "main",
        "tokenizer.generator.path": tmp_path / "models" / "generator",
        "recommend.prompt.ids": "both",
    }
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    genrec("run", PLUGIN / "zero_shot.yaml", *sets, *places)
    seen = json.loads((tmp_path / "runs" / "idgenrec-zero-shot" / "latest" / "metrics.json").read_text())
    assert seen["identifiers"]["items"] == 7
    assert 0 <= seen["test"]["recall@5"] <= 1


def test_new_items_are_named_by_the_trained_generator(genrec, folders, named, tmp_path):
    named.model.save(tmp_path / "t5")
    changes = {
        "data.source.path": folders["beauty"],
        "model": f"{{use: core/pretrained, path: {tmp_path / 't5'}}}",
        "tokenizer.generator": f"{{use: core/pretrained, path: {tmp_path / 't5'}}}",
        "tokenizer.teach": "null",
        "tokenizer.fields": "[title, brand, description]",
        "data.split": "{use: core/leave-one-out}",
        "train.alternate.rounds": 1,
        "train.alternate.max_steps": 1,
        "train.alternate.id_generator.max_steps": 1,
        "evaluate.baselines": "[]",
    }
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    places = ("--runs", tmp_path / "runs", "--store", tmp_path / "store")
    genrec("run", PLUGIN / "tiny.yaml", *sets, *places)
    new = tmp_path / "new.jsonl"
    first = json.loads((folders["beauty"] / "items.jsonl").read_text().splitlines()[0])
    new.write_text(json.dumps({**first, "item_id": "n1"}) + "\n")
    shown = json.loads(genrec("items", "add", tmp_path / "runs" / "idgenrec-tiny" / "latest", new, "--json"))
    assert shown["new"] == 1
    assert shown["colliding"] == 0
    assert shown["items"][0]["identifier"]
