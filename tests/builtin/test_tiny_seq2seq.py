"""core/tiny-seq2seq: through the contract kit, and a pipeline in which it learns to recommend."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
import torch

from genrec_core.builtin.tiny_backbones import TinySeq2Seq
from genrec_core.contracts.context import Context
from genrec_core.contracts.samples import ItemRef, Sample, Text
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.testing.contracts import BackboneContract
from genrec_core.testing.toy import toy_catalogue
from tests.end_to_end.processes import genrec

SMALL = {"hidden": 16, "layers": 1, "heads": 2, "intermediate": 16, "vocabulary": 300, "device": "cpu"}

PIPELINE = """
genrec: 1
name: shop
seed: 3
data: {source: {use: core/folder, path: data}, max_history: 2}
model: {use: core/tiny-seq2seq, hidden: 32, layers: 1, heads: 2, intermediate: 32, vocabulary: 300}
tokenizer: {use: core/given, field: code, separator: ""}
train:
  sft:
    use: core/sft
    corpora: [{use: core/next-item}]
    epochs: 30
    batch_size: 32
    learning_rate: 0.01
    evaluate_every: 30
recommend: {use: core/beam, beams: 5}
evaluate: {at: [1, 5], resamples: 0}
"""


class TestTinySeq2Seq(BackboneContract):
    component = TinySeq2Seq
    options: ClassVar = SMALL


def test_the_shape_is_that_of_the_options():
    config = TinySeq2Seq(**SMALL, dropout=0.2).build(toy_catalogue(), Context()).network.config
    assert (config.d_model, config.num_layers, config.num_decoder_layers) == (16, 1, 1)
    assert (config.num_heads, config.d_kv, config.d_ff, config.dropout_rate) == (2, 8, 16, 0.2)


def test_the_encoder_reads_the_prompt_closed_by_the_end_token_and_an_empty_one_as_that_alone():
    model = TinySeq2Seq(**SMALL).build(toy_catalogue(), Context())
    renderer = Renderer(model, toy_catalogue())
    answer = ItemRef(1, learn=True)
    prompt = renderer.prompt(Sample((Text("Next: "), answer)))
    assert prompt == [*renderer.literal_ids("Next: "), model.end_id]
    assert renderer.prompt(Sample((answer,))) == [model.end_id]
    model.frame = ([], [])  # a text tokenizer that closes nothing
    assert Renderer(model, toy_catalogue()).prompt(Sample((answer,))) == [model.end_id]


def test_an_impossible_shape_is_refused():
    with pytest.raises(ValueError, match="`hidden: 18` does not divide into `heads: 4`"):
        TinySeq2Seq(**{**SMALL, "hidden": 18, "heads": 4})


def test_building_leaves_the_global_random_numbers_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    TinySeq2Seq(**SMALL).build(toy_catalogue(), Context(seed=9))
    assert torch.equal(torch.rand(1), wanted)


def test_it_trains_and_recommends_what_always_follows(tmp_path):
    (tmp_path / "data").mkdir()
    items = [
        {"item_id": f"i{n}", "title": f"Thing {n}", "code": [f"<a_{n // 4}>", f"<b_{n % 4}>"]}
        for n in range(12)
    ]
    users = [{"user_id": f"u{n}", "item_ids": [f"i{(n + m) % 12}" for m in range(6)]} for n in range(48)]
    for name, rows in (("items", items), ("sequences", users)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{name}.jsonl").write_text(lines)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    genrec(tmp_path, "run", "pipeline.yaml")
    metrics = json.loads((tmp_path / "runs/shop/latest/metrics.json").read_text())
    assert metrics["test"]["recall@1"] == 1.0
