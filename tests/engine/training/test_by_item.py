"""Training and decoding of models that read histories by item."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrec_core.builtin.beam import Beam
from genrec_core.builtin.dense import Dense
from genrec_core.builtin.grpo import GRPO
from genrec_core.builtin.hit import Hit
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinyCausal, TinySeq2Seq
from genrec_core.contracts.context import Context
from genrec_core.engine.decoding.constraint import AnswerTries, Constraint
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.reading_by_item import item_positions
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.batch_plan import Collator
from genrec_core.engine.training.loss import LegalLoss, learnt_losses
from genrec_core.engine.training.sample_table import rendered_table
from genrec_core.testing.sessions import ask

SHAPE = {"hidden": 64, "layers": 2, "heads": 2, "intermediate": 96, "vocabulary": 280, "device": "cpu"}


def fresh(kind, catalogue):
    return kind(**SHAPE, positions="item").build(catalogue, Context(seed=1))


@pytest.mark.parametrize(
    ("each", "kind"), [("prefix", TinyCausal), ("user", TinyCausal), ("prefix", TinySeq2Seq)]
)
def test_losses_of_an_identifier_sum_to_its_score_in_legal_decoding(catalogue, training, each, kind):
    model = fresh(kind, catalogue)
    corpus, renderer = NextItem(each=each, separator=""), Renderer(model, catalogue)
    tries = AnswerTries(renderer)
    samples = corpus.samples(training.valid, catalogue, Context())
    table = rendered_table(samples, renderer, Context(), "valid", tries)
    batch = Collator(table, model.family, model.pad_id).batch(np.arange(len(table)))
    with torch.no_grad():
        losses, _ = learnt_losses(
            model.network, batch, legal=LegalLoss(tries.trie, OutputHead(model.network))
        )
    learnt = losses.reshape(len(table), -1)[:, :3].sum(1)
    for search in ("exhaustive", "beam"):
        recommender = Beam(search=search, scoring="legal", beams=len(catalogue.items))
        answers = ask(
            recommender, {"main": model}, list(training.valid.requests()), catalogue, corpus, Context()
        )
        for loss, answer, target in zip(learnt.tolist(), answers, training.valid.targets, strict=True):
            wanted = catalogue.identifiers.tokens(int(target))
            score = next(beam.score for beam in answer.beams if beam.tokens == wanted)
            assert -loss == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize(("each", "kind", "least"), [("user", TinyCausal, 0.8), ("prefix", TinySeq2Seq, 0.2)])
def test_what_is_certain_is_learnt(catalogue, training, each, kind, least):
    step = SFT(
        corpora=[NextItem(each=each, separator="")], epochs=12, batch_size=20, learning_rate=5e-3,
        scoring="legal", dense={"start": "co-occurrence"}, select_by="recall@10",
    )  # fmt: skip
    trained = step.train({"main": fresh(kind, catalogue)}, catalogue, training, Context(seed=2))
    assert item_positions(trained.model.network).own.abs().sum() > 0
    prompts, requests = {"main": NextItem(separator="")}, list(training.valid.requests())
    for recommender in (Beam(beams=10), Dense(items=10)):
        with recommender.open({"main": trained.model}, catalogue, prompts, Context()) as session:
            answers = list(session.recommend(requests))
        firsts = np.array([catalogue.meant(answer.beams[0])[0] for answer in answers])
        assert (firsts == training.valid.targets).mean() > least


@pytest.mark.parametrize("kind", [TinyCausal, TinySeq2Seq])
def test_beams_that_only_one_item_goes_on_from_need_no_reading(catalogue, training, kind, monkeypatch):
    model, requests = fresh(kind, catalogue), list(training.valid.requests())

    def answers():
        beams = Beam(scoring="legal", beams=6)
        return ask(beams, {"main": model}, requests, catalogue, NextItem(separator=""), Context())

    some = answers()
    monkeypatch.setattr(Constraint, "decided", lambda self, nodes: torch.zeros_like(nodes, dtype=torch.bool))
    for one, other in zip(some, answers(), strict=True):
        assert [beam.tokens for beam in one.beams] == [beam.tokens for beam in other.beams]
        for beam, same in zip(one.beams, other.beams, strict=True):
            assert beam.score == pytest.approx(same.score, abs=1e-5)


def test_rollouts_train_a_model_that_reads_items(catalogue, training):
    """Answers are scored path by path, and a reference policy is a copy that reads with its own weights."""
    step = GRPO(
        corpora=[NextItem(each="prefix", separator="")], reward=Hit(), group=8, prompts=8, max_steps=6,
        learning_rate=1e-3, beta=0.1, evaluate_every=6, valid_samples=8,
    )  # fmt: skip
    trained = step.train({"main": fresh(TinyCausal, catalogue)}, catalogue, training, Context(seed=2))
    assert trained.model.by_item
    assert {"reward", "kl"} <= set(trained.curves)
    assert max(value for _, value in trained.curves["kl"]) > 0  # the policy moved away from its copy
