"""`evaluate.domain_field`: every system answers a request from the domain of its next item alone."""

import gzip
import json

import pytest

from genrec_core.cli import main
from tests.pipeline.conftest import QUICK

PIPELINE = """\
genrec: 1
name: domains
seed: 3
data:
  source: {use: core/synthetic, items: 240, users: 60, domains: 2}
  split: core/domain-last
  max_history: 8
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 32, vocabulary: 300}
tokenizer: {use: quick/numbers, base: 8}
train:
  sft: {use: core/sft, corpora: [core/next-item], max_steps: 2, batch_size: 16}
recommend: {use: core/beam, beams: 10}
evaluate: {at: [5, 10], baselines: [core/popular, core/item-knn], resamples: 0, valid: false}
"""
RECOMMENDERS = {
    "beam": "{use: core/beam, beams: 10}",
    "fused": "{use: core/fused, recommenders: [core/beam], baselines: [core/item-knn], weights: [1, 1]}",
    "prior": "{use: core/beam, beams: 10, prior: core/popular, prior_weight: 2}",
    "a plugin's that knows no domains": "{use: quick/follow, beams: 10}",
}


@pytest.fixture
def go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(QUICK))
    monkeypatch.setenv("GENREC_PLUGINS", "quick")
    (tmp_path / "p.yaml").write_text(PIPELINE)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return ended.value.code, capsys.readouterr()

    return run


def catalogue_of(folder):
    (data,) = (folder / "store").glob("data-*")
    with gzip.open(data / "catalogue.json.gz") as file:
        found = json.load(file)
    return dict(zip(found["ids"], found["fields"]["domain"], strict=True))


@pytest.mark.parametrize("recommender", RECOMMENDERS)
def test_every_recommender_answers_from_the_domain_of_the_target(go, tmp_path, recommender):
    changes = [f"recommend={RECOMMENDERS[recommender]}", "evaluate.domain_field=domain"]
    if "plugin" in recommender:
        changes += ["model=quick/counts", "train={count: {use: quick/counting, corpora: [quick/next]}}"]
    sets = [part for change in changes for part in ("--set", change)]
    code, shown = go("run", "p.yaml", *sets)
    assert code == 0, shown.err
    domain_of = catalogue_of(tmp_path)
    latest = tmp_path / "runs" / "domains" / "latest"
    with gzip.open(latest / "recommendations.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert {domain_of[row["target"]] for row in rows} == {"indoors", "outdoors"}
    assert any(row["items"] for row in rows)
    for row in rows:
        assert {domain_of[item] for item in row["items"]} <= {domain_of[row["target"]]}
    if recommender in ("beam", "fused", "prior"):
        assert all(len(row["items"]) == 10 for row in rows), "the beams are spent inside the domain"


def test_the_protocol_says_so_and_baselines_are_asked_alike(go, tmp_path):
    found = {}
    for field in ("", "domain"):
        code, shown = go("run", "p.yaml", "--set", f"evaluate.domain_field='{field}'")
        assert code == 0, shown.err
        found[field] = json.loads((tmp_path / "runs/domains/latest/metrics.json").read_text())
    assert found[""]["protocol"]["candidates"] == "all items"
    assert found["domain"]["protocol"]["candidates"] == "items of the request's domain (`domain`)"
    assert found[""]["protocol"]["hash"] != found["domain"]["protocol"]["hash"]
    popular = [found[field]["baselines"]["core/popular"]["recall@10"] for field in ("", "domain")]
    assert popular[0] < popular[1], "half of the competitors are gone"
    plan = json.loads((tmp_path / "runs/domains/latest/plan.json").read_text())
    outcome = {stage["name"]: stage["outcome"] for stage in plan["stages"]}
    assert (outcome["train.sft"], outcome["recommend"]) == ("reused", "run"), "nothing is trained again"


def test_a_run_is_asked_for_one_domain(go, tmp_path):
    assert go("run", "p.yaml", "--set", "evaluate.domain_field=domain")[0] == 0
    domain_of = catalogue_of(tmp_path)
    item = next(iter(domain_of))
    for domain in ("indoors", "outdoors"):
        _, shown = go("recommend", "runs/domains/latest", "--history", item, "--domain", domain, "--json")
        answered = [domain_of[one["item"]] for one in json.loads(shown.out)["items"]]
        assert answered == [domain] * 10
    code, shown = go("recommend", "runs/domains/latest", "--history", item, "--domain", "garden")
    assert code == 2
    assert "no item is of the domain `garden`\n  → domains are: indoors, outdoors" in shown.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("evaluate.domain_field=shelf", "items have no field `shelf`"),
        (
            "evaluate.domain_field=title",
            "examples of the test view are of domains that no item has in `title`: ",
        ),
        ("data={source: {use: core/synthetic, items: 240, users: 60}}", "items have no field `domain`"),
    ],
)
def test_domains_that_cannot_be_told_are_refused_before_anything_is_trained(go, tmp_path, change, message):
    code, shown = go("run", "p.yaml", "--set", "evaluate.domain_field=domain", "--set", change)
    assert code != 0
    assert message in shown.err
    assert not list((tmp_path / "store").glob("train.*"))


def test_a_run_without_domains_refuses_to_be_asked_for_one(go):
    assert go("run", "p.yaml")[0] == 0
    code, shown = go("recommend", "runs/domains/latest", "--history", "x", "--domain", "indoors")
    assert code == 2
    assert "this run does not know which items are of which domain" in shown.err
    assert "run it with `evaluate.domain_field`" in shown.err
