"""The pipeline files: all check, every task mix of table 9 runs, and the paper's file on a tiny Qwen3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec_core.testing.chat_checkpoint import save_chat_checkpoint

PLUGIN = Path(__file__).resolve().parents[1]
SHARED = PLUGIN.parents[2] / "shared" / "data"
TOOLS = ("hammer", "drill", "clamp", "spanner", "chisel", "plane", "rasp", "mallet")
SIZES = ("small", "long", "heavy", "folding", "plain")
GTI = "{use: grlm/gti, instruction: ''}"
BACK = "{use: grlm/gti, direction: to-metadata, instruction: ''}"
UBSP = "{use: grlm/ubsp, instruction: ''}"
NIP = "{use: grlm/ubsp, each: prefix, instruction: ''}"
CROSS = (
    "{use: sid/next-item-text, directions: ['identifier -> identifier', 'identifier -> title'], draw: one, "
    "separator: '; '}"
)
MIXES = {
    "UBSP + Meta2TIDs": [UBSP, GTI],
    "UBSP + Meta2TIDs + TIDs2Meta": [UBSP, GTI, BACK],
    "NIP + Meta2TIDs": [NIP, GTI],
    "NIP + Meta2TIDs + TIDs2Meta": [NIP, GTI, BACK],
    "CROSS + Meta2TIDs + TIDs2Meta": [CROSS, GTI, BACK],
    "without GTI": [UBSP],
    "the repository's third task": [UBSP, GTI, "{use: grlm/similar-items, instruction: ''}"],
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's shared data sets")
@pytest.mark.parametrize("name", ["paper", "tiny"])
def test_every_pipeline_file_checks(genrec, name):
    assert "ok" in genrec("check", PLUGIN / f"{name}.yaml")


@pytest.fixture
def shop(tmp_path):
    """Forty items with titles, descriptions and terms (one has none), twelve users with six items each."""
    folder = tmp_path / "shop"
    folder.mkdir()
    names = [(size, tool) for tool in TOOLS for size in SIZES]
    items = [
        {
            "item_id": f"i{n}",
            "title": f"{size} {tool}",
            "description": f"A {size} {tool} for job {n % 7}, with a grip.",
            "terms": [tool, size, f"job{n % 7}", "grip", "environment"] if n else [],
        }
        for n, (size, tool) in enumerate(names)
    ]
    users = [
        {"user_id": f"u{u}", "item_ids": [f"i{(3 * u + step) % 40}" for step in range(6)]} for u in range(12)
    ]
    for name, lines in (("items", items), ("sequences", users)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def ran(genrec, pipeline, changes, tmp_path):
    """The metrics and the log of a run of a plugin's pipeline file with changes."""
    sets = [part for path, value in changes.items() for part in ("--set", f"{path}={value}")]
    genrec("run", PLUGIN / pipeline, *sets, "--runs", tmp_path / "runs", "--store", tmp_path / "store")
    (run,) = (path for path in (tmp_path / "runs").iterdir())
    log = [json.loads(line) for line in (run / "latest" / "log.jsonl").read_text().splitlines()]
    return json.loads((run / "latest" / "metrics.json").read_text()), log


def small(shop):
    return {
        "data.source.path": shop,
        "model": "{use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, vocabulary: 400, context: 256}",
        "train.sft.max_steps": 2,
        "train.sft.precision": "float32",
        "train.sft.scoring": "full",
        "recommend": "{use: core/free-beam, beams: 10, max_tokens: 6}",
    }


@pytest.mark.parametrize("mix", MIXES)
def test_every_task_mix_checks(genrec, shop, mix):
    corpora = f"train.sft.corpora=[{', '.join(MIXES[mix])}]"
    data = f"data.source.path={shop}"
    assert "ok" in genrec("check", PLUGIN / "tiny.yaml", "--set", data, "--set", corpora)


def test_all_tasks_train_together(genrec, shop, tmp_path):
    every = dict.fromkeys(task for mix in MIXES.values() for task in mix)
    changes = small(shop) | {"train.sft.corpora": f"[{', '.join(every)}]"}
    metrics, log = ran(genrec, "tiny.yaml", changes, tmp_path)
    assert {"recall@10", "vr@10"} <= set(metrics["test"])
    assert metrics["counts"]["test"]["candidates@10"] > 0
    assert any(line["event"] == "free-beam" for line in log)


def test_compressed_terms_and_constrained_beams_run(genrec, shop, tmp_path):
    terms = "{use: grlm/terms, field: terms, fields: [title], malformed: extract, separator: ' '}"
    changes = small(shop) | {
        "tokenizer": f"{{use: grlm/compressed, core_terms: 12, tokenizer: {terms}}}",
        "train.sft.scoring": "legal",
        "recommend": "{use: core/beam, beams: 10}",
    }
    metrics, log = ran(genrec, "tiny.yaml", changes, tmp_path)
    assert (metrics["test"]["vr@10"], metrics["test"]["dhr@10"]) == (1.0, 1.0)
    (event,) = (line for line in log if line["event"] == "compressed")
    assert event["terms_after"] <= 12 < event["terms_before"]
    assert event["sharing_before"] <= event["sharing_after"]


@pytest.fixture
def qwen3(tmp_path):
    """A local checkpoint of the paper's architecture as transformers saves it, chat template included."""
    return save_chat_checkpoint(tmp_path / "qwen3", "qwen3")


def test_the_papers_pipeline_trains_two_steps_on_a_tiny_qwen3(genrec, shop, qwen3, tmp_path):
    changes = {
        "data.source.path": shop,
        "model.path": qwen3,
        "tokenizer.encoder": "{use: core/ngrams, fields: [title, description]}",
        "tokenizer.teacher": "{use: grlm/extractive}",
        "tokenizer.wording": '""',  # the extractor reads our layout; tests/test_paper.py holds the paper's
        "train.sft.max_steps": 2,
        "train.sft.accumulation": 1,
        "train.sft.precision": "float32",
        "recommend.beams": 10,
        "recommend.max_tokens": 5,
        "evaluate.baselines": "[core/popular]",
    }
    metrics, log = ran(genrec, "paper.yaml", changes, tmp_path)
    steps = {line["stage"]: line["steps"] for line in log if line["event"] == "cost" and "steps" in line}
    assert steps == {"train.sft": 2}
    assert 0 <= metrics["test"]["recall@10"] <= 1
