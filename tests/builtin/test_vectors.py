"""core/vectors: vectors by item id, through the contract kit, a pipeline and new items."""

from __future__ import annotations

import json

import numpy as np
import pydantic
import pytest

from genrec_core.builtin.vectors import Vectors
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.testing.contracts import EncoderContract
from genrec_core.testing.toy import toy_items
from tests.end_to_end.processes import genrec, start

PIPELINE = """
genrec: 1
name: shop
data: {source: {use: core/folder, path: data}}
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 16, vocabulary: 300}
tokenizer:
  use: sid/rq-kmeans
  encoder: {use: core/vectors, path: vectors.npy, ids: ids.txt}
  levels: 2
  codes: 4
recommend: {use: core/beam, beams: 12, prompt: core/next-item}
evaluate: {at: [12], resamples: 0}
"""


def write(folder, ids, width=6):
    vectors = np.random.default_rng(0).standard_normal((len(ids), width)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    (folder / "ids.txt").write_text("\n".join(ids))
    return vectors


class TestVectors(EncoderContract):
    component = Vectors

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path):
        write(tmp_path, toy_items().ids[::-1])
        type(self).options = {"path": tmp_path / "vectors.npy", "ids": tmp_path / "ids.txt"}


def test_each_item_gets_its_own_row_at_length_one_if_asked(tmp_path):
    vectors = write(tmp_path, ["a", "b", "c"])
    items = Items(("c", "a"), {})
    files = {"path": tmp_path / "vectors.npy", "ids": tmp_path / "ids.txt"}
    np.testing.assert_array_equal(Context().embed(Vectors(**files), items), vectors[[2, 0]])
    lengths = np.linalg.norm(Context().embed(Vectors(**files, normalise=True), items), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "v.pkl"}, r"must end in one of \.npy, \.safetensors, \.parquet"),
        ({"path": "v.npy", "fields": ("title",)}, "no text is read"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Vectors(**options)


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "data").mkdir()
    items = [{"item_id": f"i{n}", "title": f"Thing {n}"} for n in range(12)]
    users = [{"user_id": f"u{n}", "item_ids": [f"i{(n + m) % 12}" for m in range(5)]} for n in range(12)]
    for name, rows in (("items", items), ("sequences", users)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / f"{name}.jsonl").write_text(lines)
    write(tmp_path, [f"i{n}" for n in range(12)])
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "new.jsonl").write_text('{"item_id": "n1", "title": "A new thing"}\n')
    return tmp_path


def test_new_items_are_named_by_the_rows_that_were_appended_for_them(shop):
    genrec(shop, "run", "pipeline.yaml")
    refused = start(shop, "items", "add", "runs/shop/latest", "new.jsonl")
    refused.process.join(120)
    assert refused.process.exitcode == 2
    assert "1 of 1 items have no vector in `vectors.npy`: `n1`" in refused.err
    old = np.load(shop / "vectors.npy")
    np.save(shop / "vectors.npy", np.concatenate([old, old[3:4]]))
    with (shop / "ids.txt").open("a") as ids:
        ids.write("\nn1\n")
    found = json.loads(genrec(shop, "items", "add", "runs/shop/latest", "new.jsonl", "--json"))
    (entry,) = found["items"]
    assert (entry["nearest"][0]["item"], entry["nearest"][0]["cosine"]) == ("i3", 1.0)
    assert entry["shared"] >= 2


@pytest.mark.parametrize("name", ["vectors.npy", "ids.txt"])
def test_a_file_that_is_not_there_is_found_before_anything_runs(shop, name):
    (shop / name).unlink()
    checked = start(shop, "check", "pipeline.yaml")
    checked.process.join(120)
    assert checked.process.exitcode == 2
    assert f"{name}` is not there" in checked.err
