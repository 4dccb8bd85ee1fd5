"""`genrec refit`: choices are fixed, validation rows are learnt, and the protocol is another one."""

from __future__ import annotations

import json

import numpy as np

from genrec_core.builtin.with_validation import joined
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.views import View
from tests.end_to_end.processes import genrec, start

PIPELINE = """
genrec: 1
name: shop
seed: 3
data: {source: {use: core/folder, path: data}, max_history: 4}
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 16, vocabulary: 300}
tokenizer: {use: core/given, field: code, separator: ""}
train:
  sft:
    use: core/sft
    corpora: [{use: core/next-item, each: user, separator: ""}]
    epochs: 4
    batch_size: 16
    learning_rate: 0.01
    select_by: recall@10
recommend:
  use: core/fused
  recommenders: [{use: core/beam, beams: 5}]
  baselines: [core/transitions]
evaluate: {at: [5], resamples: 0, baselines: [core/popular, core/transitions, core/sasrec]}
"""


def view(name, users, rows, targets, times=None):
    found = np.asarray(targets, dtype=np.int32) if targets is not None else None
    return View(name, tuple(users), Sequences.of(rows), found, 10, times)


def test_targets_of_validation_rows_stand_behind_their_users_items():
    train = view("train", ["u", "v"], [[1, 2], [3]], None, np.array([10.0, 20.0, 30.0]))
    valid = view("valid", ["v", "v", "w"], [[3], [3, 4], [7, 8]], [4, 5, 9], np.array([40.0, 50.0, 60.0]))
    both = joined(train, valid)
    assert both.users == ("u", "v", "w")
    assert [row.tolist() for _, row in both.sequences()] == [[1, 2], [3, 4, 5], [7, 8, 9]]
    assert both.times.tolist() == [10, 20, 30, 40, 50, 60, 60, 60]
    assert both.targets is None
    assert len(both) == 1 + 2 + 2


def test_a_run_is_refitted(tmp_path):
    (tmp_path / "data").mkdir()
    items = [
        {"item_id": f"i{n}", "title": f"Thing {n}", "code": [f"<a_{n // 4}>", f"<b_{n % 4}>"]}
        for n in range(12)
    ]
    ends = ["i5", "i11", "i5", "i11"]
    users = [
        {"user_id": f"u{n}", "item_ids": [f"i{n % 4}", f"i{4 + n % 2}", *ends][: 4 + n % 3]}
        for n in range(48)
    ]
    for name, rows in (("items", items), ("sequences", users)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{name}.jsonl").write_text(lines)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    genrec(tmp_path, "run", "pipeline.yaml")
    told = genrec(tmp_path, "refit", "runs/shop/latest")
    assert "core/sasrec stops by validation rows and is left out" in told
    runs = [tmp_path / "runs" / name / "latest/metrics.json" for name in ("shop", "shop-refit")]
    before, after = (json.loads(file.read_text()) for file in runs)
    assert before["protocol"]["hash"] != after["protocol"]["hash"]
    assert before["protocol"]["split"] != after["protocol"]["split"]
    assert set(after["baselines"]) == {"core/popular", "core/transitions"}
    plan = json.loads(genrec(tmp_path, "refit", "runs/shop/latest", "--explain", "--json"))
    changes = dict(change.split("=", 1) for change in plan["changes"])
    curves = [json.loads(file.read_text()) for file in (tmp_path / "store").glob("train.sft-*/curves.json")]
    (points,) = [found["valid recall@10"] for found in curves if "valid recall@10" in found]
    assert int(changes["train.sft.max_steps"]) == max(points, key=lambda point: (point[1], -point[0]))[0]
    assert json.loads(changes["recommend.weights"])[0] == 1.0
    again = start(tmp_path, "refit", "runs/shop-refit/latest")
    again.process.join(60)
    assert again.process.exitcode != 0
    assert "was trained on its validation rows already" in again.out + again.err
