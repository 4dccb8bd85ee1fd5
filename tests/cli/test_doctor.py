"""`genrec doctor`: a run in full, files beside it, and what it says when something is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from genrec_core.pipeline.run_folder import REPORT

RUN = "runs/quick/latest"


@pytest.fixture
def run(genrec):
    genrec("run", "pipeline.yaml")
    return genrec


@pytest.fixture
def files(tmp_path):
    """Items, their published identifiers (all in two buckets) and vectors."""
    items = [{"item_id": f"i{n}", "title": f"Thing {n:02}"} for n in range(12)]
    sids = [{"item_id": f"i{n}", "sid": ["<p_0>", f"<q_{n // 6}>"]} for n in range(12)]
    for name, rows in (("items.jsonl", items), ("sids.jsonl", sids)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    vectors = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    save_file({"embeddings": vectors}, str(tmp_path / "vectors.safetensors"))
    return tmp_path


def test_a_run_is_examined_with_its_own_embeddings(run):
    found = json.loads(run("doctor", RUN, "--json").out)
    assert found["distinct"] == 12
    assert found["space"] == "quick/lengths"
    assert found["neighbours"]["queries"] == 12
    assert [under["prefixes"] for under in found["prefixes"]] == [3, 12]
    assert found["missing"] == []
    assert isinstance(found["suggestions"], list)


def test_the_text_shows_levels_prefixes_and_neighbours(run):
    shown = run("doctor", RUN)
    assert shown.code == 0
    assert "perplexity" in shown.out
    assert "Neighbour recall@10 (quick/lengths)" in shown.out
    assert "Near-duplicate items                     0 in 0 groups" in shown.out


def test_quick_looks_at_identifiers_alone_and_says_so(run):
    found = json.loads(run("doctor", RUN, "--quick", "--json").out)
    assert found["neighbours"] is found["duplicates"] is None
    assert "not asked for" in found["missing"][0]


def test_published_identifiers_stand_beside_a_run_in_one_table(run, files):
    shown = run("doctor", RUN, "--identifiers", "sids.jsonl", "--json")
    found = json.loads(shown.out)
    assert list(found) == ["quick", "sids"]
    assert found["sids"]["collision_rate"] == 1.0
    assert found["sids"]["space"] == "quick/lengths"
    assert found["sids"]["buckets"][0]["items"][0] == {"id": "i0", "text": "Thing 00"}
    text = run("doctor", RUN, RUN, "--identifiers", "sids.jsonl").out
    assert all(name in text for name in ("quick#2", "sids", "neighbour recall@10", "12 (100.0 %)"))


def test_identifiers_of_other_lengths_keep_their_levels_together(run, files):
    rows = [{"item_id": f"i{n}", "sid": ["<p_0>", "<q_0>", f"<r_{n}>"]} for n in range(12)]
    (files / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = run("doctor", RUN, "--identifiers", "long.jsonl").out.splitlines()
    levels = [line.split()[1] for line in lines if line.strip().startswith("level")]
    assert levels == ["1:", "1:", "2:", "2:", "3:", "3:"]
    third = next(line for line in lines if "level 3: codes used" in line)
    assert third.split()[-2:] == ["–", "12"]


@pytest.mark.parametrize("vectors", ["vectors.npy", "vectors.safetensors"])
def test_a_file_is_examined_without_any_run(genrec, files, vectors):
    place = ["--identifiers", "sids.jsonl", "--items", "items.jsonl"]
    found = json.loads(genrec("doctor", *place, "--embeddings", vectors, "--queries", 5, "--json").out)
    assert found["neighbours"]["queries"] == 5
    assert found["space"] == vectors


def test_an_encoder_may_be_named(genrec, files):
    place = ["--identifiers", "sids.jsonl", "--items", "items.jsonl"]
    found = json.loads(genrec("doctor", *place, "--encoder", "{use: quick/lengths, power: 2}", "--json").out)
    assert found["space"] == "quick/lengths"


def test_a_file_alone_is_examined_as_far_as_it_goes(genrec, files):
    found = json.loads(genrec("doctor", "--identifiers", "sids.jsonl", "--json").out)
    assert found["distinct"] == 2
    assert [line.partition(":")[0] for line in found["missing"]] == ["near-duplicates", "neighbours"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to examine"),
        (["--identifiers", "sids.jsonl", "--embeddings", "short.npy"], "not 12 rows of finite numbers"),
        (["--identifiers", "sids.jsonl", "--embeddings", "large.npy"], "not 12 rows of finite numbers"),
        (["--identifiers", "sids.jsonl", "--embeddings", "items.jsonl"], "no readable safetensors file"),
        (["--identifiers", "sids.jsonl", "--encoder", "quick/length"], "did you mean `quick/lengths`"),
        (["--identifiers", "sids.jsonl", "--encoder", "{use: "], "is not YAML"),
        (["--identifiers", "sids.jsonl", "--encoder", "{use: quick/lengths, 3: 4}"], "3"),
        (["--identifiers", "sids.jsonl", "--encoder", f"{{use: x/y, a: 1{'0' * 30}}}"], "64 bits"),
        (
            ["--identifiers", "sids.jsonl", "--encoder", "{use: quick/lengths, a: !!binary eA==}"],
            "is not YAML",
        ),
        (["--identifiers", "sids.jsonl", "--encoder", "{use: quick/lengths, a: !!set {x}}"], "is not YAML"),
        (["--identifiers", "sids.jsonl", "--encoder", "{use: &a quick/lengths, a: *a}"], "is not YAML"),
        (["--identifiers", "items.jsonl", "--items", "few.jsonl"], "1 of 1 items have no identifier: `x`"),
    ],
)
def test_what_cannot_be_used_is_refused(genrec, files, arguments, message):
    np.save(files / "short.npy", np.zeros((3, 2), dtype=np.float32))
    np.save(files / "large.npy", np.full((12, 2), 1e300))
    (files / "few.jsonl").write_text('{"item_id": "x", "title": "Rope"}\n')
    shown = genrec("doctor", *arguments)
    assert shown.code == 2
    assert message in shown.err


def test_every_run_has_a_diagnosis_in_its_report(run, tmp_path):
    page = (tmp_path / RUN / REPORT).read_text()
    assert '<section id="doctor"' in page
    assert "Neighbour recall@10 (quick/lengths)" in page
