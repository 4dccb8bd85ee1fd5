"""`core/fused`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from genrec_core import Candidate, Candidates, Context, Recommender
from genrec_core.builtin.fused import Fused
from genrec_core.builtin.popular import Popular
from genrec_core.builtin.transitions import Transitions
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.recommender import RecommenderSession
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from genrec_core.pipeline.run_reader import open_run
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store
from genrec_core.testing.toy import toy_catalogue, toy_training, toy_views


class Written(Recommender):
    """Writes the identifiers of three items; the last is shared by items 22 and 23."""

    def open(self, models, catalogue, prompts, context):
        return WrittenSession(catalogue)


class WrittenSession(RecommenderSession):
    """Answers alike."""

    def __init__(self, catalogue):
        self.names = [catalogue.identifiers.tokens(item) for item in (4, 7, 22)]

    def recommend(self, requests):
        for _ in requests:
            pairs = zip(self.names, (-1, -2, -3), strict=True)
            yield Candidates(tuple(Candidate(*pair) for pair in pairs), {"finish": 3})


def context():
    def fitter(baseline, items, training, context):
        return baseline.fit(items, toy_training(), context)

    return Context(fitter=fitter)


def opened(**options):
    return Fused(**options).open({}, toy_catalogue(), {"main": None}, context())


def scores(session, request):
    (answer,) = session.recommend([request])
    assert [c.score for c in answer.beams] == sorted((c.score for c in answer.beams), reverse=True)
    return {candidate.items[0]: candidate.score for candidate in answer.beams}


REQUEST = next(iter(toy_views().valid.requests()))


def log_shares():
    counts = np.bincount(toy_views().train.rows.values, minlength=24) + 1
    return np.log(counts / counts.sum())


def test_log_probabilities_are_added_and_what_was_not_written_has_the_lowest_written():
    session = opened(recommenders=(Written(),), baselines=(Popular(),), weights=(1.0, 2.0))
    found = scores(session, REQUEST)
    assert set(found) == set(range(24))
    written = {4: -1, 7: -2, 22: -3, 23: -3}
    for item, score in found.items():
        assert score == pytest.approx(written.get(item, -3) + 2 * log_shares()[item], abs=1e-5)


def test_reciprocal_ranks_count_only_what_a_part_names():
    session = opened(
        recommenders=(Written(),), baselines=(Popular(),), by="ranks", weights=(1.0, 1.0), pool=2
    )
    top = np.lexsort((np.arange(24), -log_shares()))[:2]
    wanted: dict[int, float] = {}
    for names in ((4, 7), top.tolist()):
        for place, item in enumerate(names, 1):
            wanted[item] = wanted.get(item, 0.0) + 1 / (60 + place)
    best = sorted(wanted, key=lambda item: (-wanted[item], item))[:2]
    assert scores(session, REQUEST) == pytest.approx({item: wanted[item] for item in best})


def test_items_that_share_an_identifier_are_both_named():
    session = opened(recommenders=(Written(),), weights=(1.0,))
    (answer,) = session.recommend([REQUEST])
    assert [candidate.items for candidate in answer.beams] == [(4,), (7,), (22,), (23,)]
    assert answer.phases == {"finish": 3}, "what its parts wrote is what it cost"
    named = [candidate.tokens for candidate in answer.beams if candidate.tokens]
    assert len(set(named)) == len(named) == 3


def test_what_is_excluded_is_not_answered():
    session = opened(recommenders=(Written(),), baselines=(Popular(),), weights=(1.0, 1.0))
    assert not {4, 23} & set(scores(session, dataclasses.replace(REQUEST, exclude=(4, 23))))


def test_weights_are_chosen_by_validation_rows():
    fused = Fused(recommenders=(Written(),), baselines=(Transitions(text=None),))
    assert fused.undecided()
    chosen = fused.tune({}, toy_catalogue(), {"main": None}, list(toy_views().valid.examples()), context())
    assert chosen["weights"][0] == 1.0
    assert chosen["weights"][1] > 0, "users walk along the catalogue, which counts know"
    fixed = fused.with_options(**chosen)
    assert not fixed.undecided()

    def recall(weights):
        session = fused.with_options(weights=weights).open({}, toy_catalogue(), {"main": None}, context())
        examples = list(toy_views().valid.examples())
        answers = session.recommend([example.request() for example in examples])
        return np.mean([
            e.target in [c.items[0] for c in a.beams[:10]] for e, a in zip(examples, answers, strict=True)
        ])  # fmt: skip

    assert recall(chosen["weights"]) >= max(recall((1.0, value)) for value in (0.0, 0.5, 2.0, 8.0))


def test_open_weights_are_refused_where_nothing_chose_them():
    with pytest.raises(GenrecError, match=r"the `weights` of .* are chosen on validation rows"):
        opened(baselines=(Popular(),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "name at least one part"),
        ({"baselines": (Popular(),), "weights": (1.0, 2.0)}, "`weights` has 2 numbers for 1 parts"),
    ],
)
def test_parts_and_weights_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Fused(**options)


PIPELINE = """
genrec: 1
name: fused
data: {source: {use: core/synthetic, items: 240, users: 200}}
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 16, vocabulary: 300}
tokenizer: {use: sid/rq-kmeans, encoder: {use: core/ngrams, dims: 16}, levels: 2, codes: 12}
train: {sft: {use: core/sft, corpora: [{use: core/next-item, each: user}], epochs: 1, batch_size: 32}}
recommend: {use: core/fused, recommenders: [{use: core/beam, beams: 5, prior: core/popular, prior_weight: 1}],
            baselines: [core/transitions], tune_rows: 20}
evaluate: {baselines: [core/transitions], resamples: 10}
"""


def test_a_pipeline_tunes_fuses_and_serves_and_fits_each_baseline_once(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    registry = load_plugins()[0]
    run_pipeline(
        load_pipeline(tmp_path / "pipeline.yaml", registry),
        RunEnvironment(registry, Store(tmp_path / "store"), tmp_path / "runs"),
    )
    run = open_run(tmp_path / "runs" / "fused", registry)
    names = [stage["name"] for stage in run.plan["stages"]]
    assert names.count("baseline.transitions") == names.count("baseline.popular") == 1
    assert names.index("baseline.popular") < names.index("tune") < names.index("recommend")
    with run.open() as session:
        (ranked,) = session.recommend([[3, 5]])
    assert len(ranked.items) >= 100
