"""A pipeline whose text tokenizer reads two items' identifiers alike: refused, or counted and reached."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.processes import genrec, start
from tests.engine.text_tokenizers import model_with

NAMES = ["Red tent", "red tent", *(f"lamp {letter}" for letter in "abcdefghij")]
PIPELINE = """
genrec: 1
name: shop
data: {source: {use: core/folder, path: data}}
model: {use: core/pretrained, path: checkpoint}
tokenizer: {use: core/given, field: title, new_tokens: false, separator: " "}
recommend: {use: core/beam, beams: 12, prompt: core/next-item}
evaluate: {at: [12], resamples: 0}
"""


@pytest.fixture
def shop(tmp_path):
    model_with("lower-casing").save(tmp_path / "checkpoint")
    (tmp_path / "data").mkdir()
    items = [{"item_id": f"i{place}", "title": name} for place, name in enumerate(NAMES)]
    users = [
        {"user_id": f"u{start}", "item_ids": [f"i{(start + step) % len(NAMES)}" for step in range(5)]}
        for start in range(len(NAMES))
    ]
    for name, rows in (("items", items), ("sequences", users)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{name}.jsonl").write_text(lines)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def test_items_that_a_text_tokenizer_cannot_tell_apart_are_refused_before_training(shop):
    started = start(shop, "run", "pipeline.yaml")
    started.process.join(180)
    shown = started.err
    assert started.process.exitcode == 2
    assert "1 of 12 identifiers are equal to another item's" in shown
    assert "`i1: red tent = Red tent`" in shown
    assert "max_merged: 0.09" in shown


def test_once_allowed_they_are_counted_as_collisions_and_both_are_recommended(shop):
    genrec(shop, "run", "pipeline.yaml", "--set", "model.max_merged=0.09")
    metrics = json.loads((shop / "runs/shop/latest/metrics.json").read_text())
    assert metrics["identifiers"]["merged_items"] == 1
    assert metrics["identifiers"]["colliding_items"] == 2
    assert metrics["test"]["recall@12"] == 1.0  # twelve beams reach twelve items, also the merged one
    assert metrics["test"]["recall@12_inflated"] == 1.0
    doctor = json.loads(genrec(shop, "doctor", "runs/shop/latest", "--json", "--quick"))
    assert doctor["merged_items"] == 1
    assert "merged by the text tokenizer" in genrec(shop, "doctor", "runs/shop/latest", "--quick")


def test_new_items_meet_the_vocabulary_too(shop):
    genrec(shop, "run", "pipeline.yaml", "--set", "model.max_merged=0.09")
    for name, title in (("same", "LAMP a"), ("foreign", "кот")):
        (shop / f"{name}.jsonl").write_text(json.dumps({"item_id": name, "title": title}) + "\n")
    found = json.loads(genrec(shop, "items", "add", "runs/shop/latest", "same.jsonl", "--json"))
    assert (found["colliding"], found["items"][0]["identifier"]) == (1, "lamp a")
    doctor = json.loads(genrec(shop, "doctor", found["run"], "--json", "--quick"))
    assert (doctor["merged_items"], doctor["colliding_items"]) == (2, 4)
    for more in ((), ("--dry-run",)):
        refused = start(shop, "items", "add", "runs/shop/latest", "foreign.jsonl", *more)
        refused.process.join(180)
        assert refused.process.exitcode == 2
        assert "cannot write the identifiers of 1 of 13 items: `foreign: кот`" in refused.err
