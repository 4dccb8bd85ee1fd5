"""A prior that is learned from training rows, through a whole pipeline: tuned on validation, then asked."""

import json

import numpy as np
import pyarrow as pa
import pytest

import genrec_core as genrec

ITEMS = 40


def pipeline(name, folder, **recommend):
    return {
        "genrec": 1,
        "name": name,
        "seed": 5,
        "data": {"source": {"use": "core/folder", "path": str(folder)}, "max_history": 6},
        "model": {"use": "core/tiny-causal", "hidden": 16, "layers": 1, "heads": 2, "intermediate": 16},
        "tokenizer": {"use": "sid/rq-kmeans", "encoder": "core/ngrams", "levels": 2, "codes": 8},
        "train": {"sft": {"use": "core/sft", "corpora": ["core/next-item"], "max_steps": 4}},
        "recommend": {"use": "core/beam", "beams": ITEMS, **recommend},
        "evaluate": {"resamples": 0, "valid": False, "baselines": []},
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One model without a prior, with one, and with one of a chosen weight; nobody buys twice."""
    folder = tmp_path_factory.mktemp("prior")
    draws = np.random.default_rng(0)
    bought = [(user, item) for user in range(90) for item in draws.permutation(ITEMS)[:8]]
    users, items = zip(*bought, strict=True)
    genrec.data.from_frames(
        interactions=pa.table(
            {"user_id": [f"u{user}" for user in users], "item_id": [f"i{item}" for item in items],
             "timestamp": list(range(len(bought)))}
        ),
        items=pa.table(
            {"item_id": [f"i{n}" for n in range(ITEMS)], "title": [f"thing {n * 7919}" for n in range(ITEMS)]}
        ),
    ).save(folder / "shop")  # fmt: skip
    prior = {"prior": "core/repeats"}
    asked = {"alone": {}, "prior": {**prior, "prior_weight": 3}, "tuned": prior}
    made = {
        name: genrec.run(
            pipeline(name, folder / "shop", **options), store=folder / "store", runs=folder / "runs"
        )
        for name, options in asked.items()
    }
    yield made
    for run in made.values():
        run.close()


def scores(run, history):
    return {row["item"]: row["score"] for row in run.recommend([history], k=ITEMS)}


@pytest.mark.parametrize("history", [["i3"], ["i1", "i7", "i30"], ["i5", "i5", "i6"]])
def test_a_learned_prior_lowers_what_was_chosen_before_by_one_number_and_nothing_else(runs, history):
    before, after = scores(runs["alone"], history), scores(runs["prior"], history)
    assert len(before) == len(after) == ITEMS
    change = {item: after[item] - before[item] for item in before}
    rest = [change[item] for item in change if item not in history]
    lowered = [change[item] for item in history]
    assert np.ptp(rest) < 1e-3
    assert np.ptp(lowered) < 1e-3
    assert lowered[0] < rest[0] - 1


def test_its_weight_is_chosen_on_validation_and_used_when_the_run_is_asked(runs):
    history = ["i1", "i7", "i30"]
    alone, fixed, tuned = (scores(runs[name], history) for name in ("alone", "prior", "tuned"))
    lowering = ((fixed["i1"] - alone["i1"]) - (fixed["i0"] - alone["i0"])) / 3
    lines = (runs["tuned"].folder / "log.jsonl").read_text().splitlines()
    tried = [line for line in map(json.loads, lines) if line["event"] == "tune"]
    chosen = max(tried, key=lambda line: (line["recall@10"], -line["prior_weight"]))["prior_weight"]
    assert chosen > 0
    found = (tuned["i1"] - alone["i1"]) - (tuned["i0"] - alone["i0"])
    assert found == pytest.approx(chosen * lowering, rel=1e-3)
