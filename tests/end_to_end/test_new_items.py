"""New and cold items through real components: n-grams, residual k-means, a trained model, the beam."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from genrec_core import Context, Request, Sequences
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.synthetic import Synthetic
from genrec_core.data.folder_writer import write_folder
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.content import load_arrays
from genrec_core.testing.sessions import ask
from tests.end_to_end.conftest import SMALL, Place
from tests.end_to_end.processes import genrec

COLD = 40
"""How many items nobody chose before the end."""


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A run of its own after two items were added: one like an old one, one made of two kinds' words."""
    folder = tmp_path_factory.mktemp("grown")
    Place(folder).run()
    items = open_run(folder / "runs" / "small", load_plugins()[0]).catalogue.items
    new = [
        {"item_id": "again", **{name: values[7] for name, values in items.fields.items()}},
        {"item_id": "mixed", **{name: f"{values[3]} {values[5]}" for name, values in items.fields.items()}},
    ]
    foreign = [{"item_id": "foreign", **dict.fromkeys(items.fields, "Жёлтый чайник")}]
    (folder / "foreign.jsonl").write_text("\n".join(map(json.dumps, foreign)))
    (folder / "new.jsonl").write_text("\n".join(map(json.dumps, new)))
    told = genrec(folder, "items", "add", "runs/small/latest", "new.jsonl", "--json", "--out", "runs/grown")
    return folder, json.loads(told)


def test_a_new_item_is_called_like_the_old_one_that_it_resembles(grown):
    _, told = grown
    again = told["items"][0]
    assert again["nearest"][0]["item"] == "i007"
    assert again["nearest"][0]["cosine"] == pytest.approx(1)
    assert again["shared"] >= 2, "both levels of codes"
    assert told["colliding"] == 0


def test_an_item_that_resembles_nothing_is_named_and_not_passed_over(grown):
    folder, told = grown
    assert told["unlike"] == []
    found = json.loads(
        genrec(folder, "items", "add", "runs/small/latest", "foreign.jsonl", "--dry-run", "--json")
    )
    assert found["unlike"] == [{"item": "foreign", "cosine": 0.0}]
    assert found["unlike_below"] > 0.05
    shown = genrec(folder, "items", "add", "runs/small/latest", "foreign.jsonl", "--dry-run")
    assert "1  far less like any known item than those are like one another: foreign (0.00)" in shown


def test_embedded_again_an_old_item_is_equal_to_the_bit(grown):
    folder, _ = grown
    run = open_run(folder / "runs" / "grown", load_plugins()[0])
    vectors = load_arrays(run.artefact("embed") / "embeddings.safetensors")[0]["embeddings"]
    assert len(vectors) == 242
    assert (vectors[240] == vectors[7]).all()


def test_the_trained_model_can_write_every_new_item_beside_every_old_one(grown):
    folder, _ = grown
    run = open_run(folder / "runs" / "grown", load_plugins()[0])
    beam = Beam(beams=242, search="exhaustive")
    requests = [Request("u", (3, 240, 241))]
    (answer,) = ask(beam, run.models, requests, run.catalogue, run.pipeline.prompts["main"], Context())
    reached = {int(i) for one in answer.beams for i in run.catalogue.identifiers.items_of(one.tokens)}
    assert reached == set(range(242))
    assert np.isfinite([one.score for one in answer.beams]).all()
    assert "again" in genrec(
        folder, "recommend", "runs/grown", "--history", "i003,again", "-k", "3", "--json"
    )


@pytest.fixture(scope="module")
def cold_run(tmp_path_factory):
    """A run on data whose last items are often ones that training does not show, and how many those are."""
    folder = tmp_path_factory.mktemp("cold")
    made = Synthetic(items=240, users=120).load(Context())
    rows = [made.sequences.row(user).tolist() for user in range(120)]
    seen = [[item for item in row[:-1] if item >= COLD] + row[-1:] for row in rows]
    kept = replace(made, sequences=Sequences.of(seen), times=None, oracle=None)
    write_folder(kept, folder / "data")
    pipeline = SMALL.read_text().replace(
        "{use: core/synthetic, items: 240, users: 120}", "{use: core/folder, path: data}"
    )
    pipeline = pipeline.replace(
        "{use: sid/rq-kmeans,", "{use: sid/rq-kmeans, learn_from: seen, collisions: keep,"
    )
    (folder / "cold.yaml").write_text(pipeline)
    genrec(folder, "run", "cold.yaml")
    return folder / "runs" / "small" / "latest", _never_shown(seen)


def _never_shown(rows):
    """How many last items occur in no training sequence (all but the last two of each row)."""
    shown = {item for row in rows for item in row[:-2]}
    return sum(row[-1] not in shown for row in rows)


def test_cold_targets_have_a_slice_with_their_count_and_every_systems_recall(cold_run):
    run, cold = cold_run
    slices = json.loads((run / "metrics.json").read_text())["slices"]["target"]
    assert slices["cold"]["n"] == cold > 10
    assert slices["cold"]["n"] + slices["seen"]["n"] == 120
    assert 0 <= slices["cold"]["systems"]["model"]["recall@10"] <= 1
    assert slices["cold"]["systems"]["core/popular"]["recall@10"] == 0


def test_codebooks_that_were_frozen_before_name_cold_items_where_the_beam_reaches_them(cold_run):
    run, _ = cold_run
    opened = open_run(run, load_plugins()[0])
    seen = np.flatnonzero(opened.catalogue.popularity)
    unseen = set(opened.catalogue.items.ids) - {opened.catalogue.items.ids[item] for item in seen}
    assert COLD <= len(unseen) < 240
    with gzip.open(run / "recommendations.jsonl.gz") as lines:
        recommended = {item for line in lines for item in json.loads(line)["items"]}
    assert recommended & unseen
