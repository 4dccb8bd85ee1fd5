"""Several seeds of a real pipeline: what they share, and what is told of how much they differ."""

from __future__ import annotations

import json
import statistics

import pytest


def test_two_seeds_share_data_and_embeddings_and_give_mean_and_deviation(place):
    place.run("--seeds", "1,2", "--set", "train.sft.epochs=1")
    home = place.folder / "runs" / "small" / "latest"
    plans = [json.loads((home / f"seed-{seed}" / "plan.json").read_text()) for seed in (1, 2)]
    ran = [{stage["name"] for stage in plan["stages"] if stage["outcome"] == "run"} for plan in plans]
    assert {"data", "embed"} <= ran[0]
    assert not {"data", "embed", "baseline.popular", "rank.popular", "rank.oracle"} & ran[1]
    assert {"tokenize", "model", "train.sft", "recommend", "ground", "evaluate"} <= ran[1]
    singles = [json.loads((home / f"seed-{seed}" / "metrics.json").read_text()) for seed in (1, 2)]
    together = place.metrics()
    for part in ("test", "valid"):
        for metric, figures in together["spread"][part].items():
            values = [single[part][metric] for single in singles]
            assert together[part][metric] == pytest.approx(statistics.mean(values))
            assert figures["mean"] == pytest.approx(statistics.mean(values))
            assert figures["std"] == pytest.approx(statistics.stdev(values))
    assert singles[0]["test"] != singles[1]["test"], "another seed trains another model"
    ends = together["intervals"]["test"]["recall@10"]
    assert ends[0] <= together["test"]["recall@10"] <= ends[1]
    popular = together["comparisons"]["core/popular"]["recall@10"]
    ahead = together["test"]["recall@10"] - together["baselines"]["core/popular"]["recall@10"]
    assert popular["difference"] == pytest.approx(ahead)
    page = (home / "report.html").read_text()
    assert "means of 2 seeds" in page
    assert 'href="seed-2/report.html"' in page
    assert singles[0]["protocol"] == singles[1]["protocol"] == together["protocol"]
