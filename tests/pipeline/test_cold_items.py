"""Pipelines whose test targets training never shows."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core.store.content import load_arrays

LATE = "data.source.late=6"
SEEN = "tokenizer.learn_from=seen"


def test_cold_targets_are_a_slice_with_their_count_for_every_system(run):
    slices = run(LATE).metrics["slices"]["target"]
    assert (slices["cold"]["n"], slices["seen"]["n"]) == (6, 14)
    assert slices["cold"]["systems"]["core/popular"]["recall@5"] == 0
    assert {"model", "core/popular"} <= set(slices["cold"]["systems"])


def test_without_cold_targets_there_is_no_such_slice(run):
    assert set(run().metrics["slices"]["target"]) == {"seen"}


def test_learning_from_seen_items_changes_what_is_embedded_and_named_and_not_the_data(run_again):
    ran = run_again(SEEN)
    assert "data" not in ran
    assert ran["embed"].what == "learn_from"
    assert ran["tokenize"].what == "tokenizer.learn_from"


def test_cold_items_are_named_too_after_the_seen_ones(run, environment):
    done = run(LATE, SEEN).done
    arrays, head = load_arrays(done.folders["tokenize"] / "identifiers" / "identifiers.safetensors")
    assert len(arrays["offsets"]) == 12 + 6 + 1
    assert len(head["vocabulary"]) == 5 + 4  # eighteen numbers in base four


def test_the_encoder_learns_from_seen_items_too(run, registry, monkeypatch):
    lengths = registry.resolve("encoder", "quick/lengths")
    learnt = []

    def fit(self, texts, context):
        learnt.append(len(texts))
        return {"scale": np.asarray([len(texts)], dtype=np.float32)}

    monkeypatch.setattr(lengths, "fit", fit)
    done = run(LATE, SEEN).done
    assert learnt == [12], "the tokenizer finds what the stage learnt"
    assert load_arrays(done.folders["embed"] / "embeddings.safetensors")[0]["embeddings"].shape == (18, 2)
    run(LATE)
    assert learnt == [12, 18]


def test_an_encoder_that_breaks_its_contract_is_told_from_others(run, registry, monkeypatch):
    lengths = registry.resolve("encoder", "quick/lengths")
    monkeypatch.setattr(lengths, "encode", lambda self, texts, state, context: np.zeros((3, 2)))
    with pytest.raises(Exception, match=r"gave `float64\[3, 2\]` for 12 texts"):
        run()
