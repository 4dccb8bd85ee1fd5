"""`positions: item` in a pipeline: what `check` refuses, and new items behind a finished run."""

from __future__ import annotations

import json

from tests.end_to_end.processes import genrec, start

PIPELINE = """
genrec: 1
name: shop
seed: 3
data: {source: {use: core/folder, path: data}, max_history: 2}
model:
  {use: core/tiny-causal, hidden: 32, layers: 1, heads: 2, intermediate: 32, vocabulary: 300, positions: item}
tokenizer: {use: core/given, field: code, separator: ""}
train:
  sft:
    use: core/sft
    corpora: [{use: core/next-item, each: user, separator: ""}]
    scoring: legal
    epochs: 40
    batch_size: 16
    learning_rate: 0.01
    evaluate_every: 100
    dense: {negatives: null}
recommend: {use: core/beam, beams: 5}
evaluate: {at: [1, 5], resamples: 0, valid: false}
"""


def item(number, code):
    return {"item_id": f"i{number}", "title": f"thing {number}", "code": code}


def write(folder):
    (folder / "data").mkdir()
    items = [item(n, [f"<a_{n // 4}>", f"<b_{n % 4}>"]) for n in range(12)]
    users = [{"user_id": f"u{n}", "item_ids": [f"i{(n + m) % 12}" for m in range(6)]} for n in range(48)]
    for name, rows in (("data/items", items), ("data/sequences", users)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "pipeline.yaml").write_text(PIPELINE)


def test_check_refuses_identifiers_of_words(tmp_path):
    write(tmp_path)
    asked = start(tmp_path, "check", "pipeline.yaml", "--set", "tokenizer.new_tokens=false")
    asked.process.join(60)
    assert asked.process.exitcode != 0
    told = " ".join((asked.out + asked.err).split())
    assert "the model reads histories by item, which needs identifiers of codes" in told
    assert "tokenizer `core/given` writes words" in told
    genrec(tmp_path, "check", "pipeline.yaml")


def test_new_items_are_read_and_recommended(tmp_path):
    write(tmp_path)
    genrec(tmp_path, "run", "pipeline.yaml")
    metrics = json.loads((tmp_path / "runs/shop/latest/metrics.json").read_text())
    assert metrics["test"]["recall@1"] == 1.0
    # The new item shares the identifier of i5; it has no row of its own, in the history or in the answer.
    (tmp_path / "new.jsonl").write_text(json.dumps(item(12, ["<a_1>", "<b_1>"])) + "\n")
    genrec(tmp_path, "items", "add", "runs/shop/latest", "new.jsonl", "--out", "runs/shop/more")
    told = genrec(tmp_path, "recommend", "runs/shop/more", "--history", "i3,i4", "-k", "5", "--json")
    named = [one["item"] for one in json.loads(told)["items"]]
    assert named[0] == "i5"
    assert "i12" in named
    told = genrec(tmp_path, "recommend", "runs/shop/more", "--history", "i4,i12", "-k", "5", "--json")
    assert json.loads(told)["items"][0]["item"] == "i6"
