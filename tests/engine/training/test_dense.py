"""Training a dense head: losses against formulas, what is learnt, and how what was found is ranked by it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from genrec_core.builtin.beam import Beam
from genrec_core.builtin.dense import Dense
from genrec_core.builtin.fused import Fused
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinySeq2Seq
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.samples import History, ItemRef
from genrec_core.contracts.views import Request
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.models.dense_head import DenseHead, attach
from genrec_core.engine.models.model import load_model
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.batch_plan import Collator
from genrec_core.engine.training.dense_loss import DenseLoss
from genrec_core.engine.training.loss import learnt_losses
from genrec_core.engine.training.sample_table import rendered_table
from genrec_core.engine.training.teaching import TrieTeacher
from genrec_core.identifiers.trie import compile_trie

PROMPTS = {"main": NextItem(separator="")}


def head_of(model, catalogue, width=64):
    renderer = Renderer(model, catalogue)
    head = DenseHead.started(renderer.answer_ids(), (), width, seed=5)
    return head, head.written(renderer.answer_ids())


def test_the_table_says_where_learnt_identifiers_begin(build, catalogue, training):
    renderer = Renderer(build(), catalogue)
    samples = list(NextItem(each="user", separator="").samples(training.train, catalogue, Context()))
    table = rendered_table(samples[:2], renderer, Context(), "users", dense=True)
    places = np.flatnonzero(table.items >= 0)
    learnt = [item for sample in samples[:2] for item in learnt_items(sample)]
    assert table.items[places].tolist() == learnt
    assert [int(table.ids[place]) for place in places] == [renderer.answer_ids()[item][0] for item in learnt]
    assert (rendered_table(samples[:2], renderer, Context(), "users").items == -1).all()


def learnt_items(sample):
    """Items of a history that is learnt, or of an answer behind one."""
    for part in sample.segments:
        if isinstance(part, History) and part.learn:
            yield from part.items[1:]
        elif isinstance(part, ItemRef) and part.learn:
            yield part.item


@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_the_loss_is_added_where_an_identifier_begins(kind, build, catalogue, training):
    model = build()
    if kind == "seq2seq":
        shape = {"hidden": 64, "layers": 1, "heads": 2, "intermediate": 96, "vocabulary": 280}
        model = TinySeq2Seq(**shape, device="cpu").build(catalogue, Context(seed=1))
    head, written = head_of(model, catalogue)
    renderer = Renderer(model, catalogue)
    samples = list(NextItem().samples(training.train, catalogue, Context()))[:3]
    table = rendered_table(samples, renderer, Context(), "prefixes", dense=True)
    batch = Collator(table, model.family, model.pad_id).batch(np.arange(3))
    plain, _ = learnt_losses(model.network, batch)
    both, _ = learnt_losses(model.network, batch, dense=DenseLoss(head, written, None, 2.0))
    added = (both - plain).reshape(3, -1)
    assert (added[:, 1:] == 0).all()
    with torch.no_grad():
        for row, sample in enumerate(samples):
            state = begun_state(model, renderer.prompt(sample))
            logs = (state @ head.rows(written).T).log_softmax(-1)
            assert float(added[row, 0]) == pytest.approx(-2 * float(logs[sample.target]), rel=1e-4)


def begun_state(model, prompt):
    """The state that writes the first token behind a prompt, by a plain forward pass."""
    ids = torch.tensor([prompt])
    if model.family == "causal":
        return model.network.get_decoder()(input_ids=ids).last_hidden_state[0, -1]
    read = model.network.get_encoder()(input_ids=ids).last_hidden_state
    start = torch.tensor([[model.network.config.decoder_start_token_id]])
    return model.network.get_decoder()(input_ids=start, encoder_hidden_states=read).last_hidden_state[0, -1]


def test_all_items_drawn_are_all_items_and_fewer_keep_the_target(build, catalogue):
    head, written = head_of(build(), catalogue)
    states = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    items, asked = torch.tensor([3, 1, 4, 1, 5]), torch.full((5,), -1)
    every = DenseLoss(head, written, None, 1.0)(states, items, asked)
    assert DenseLoss(head, written, 60, 1.0)(states, items, asked).tolist() == pytest.approx(every.tolist())
    torch.manual_seed(0)
    drawn = torch.randperm(60)[:10]
    torch.manual_seed(0)
    some = DenseLoss(head, written, 10, 1.0)(states, items, asked)
    scores = states @ head.rows(written).T
    for row, item in enumerate(items.tolist()):
        others = [one for one in drawn.tolist() if one != item]
        wanted = -scores[row, [item, *others]].log_softmax(0)[0]
        assert float(some[row].detach()) == pytest.approx(float(wanted.detach()), rel=1e-4)


def test_a_teacher_teaches_the_head_too(build, catalogue):
    head, written = head_of(build(), catalogue)
    items = np.array([[2, 7]], dtype=np.int32)
    shares = np.array([[0.25, 0.75]], dtype=np.float32)
    teacher = TrieTeacher(compile_trie([[place] for place in range(60)]), items, shares, 0.4)
    states = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    asked = torch.tensor([0, -1])
    found = DenseLoss(head, written, None, 1.0, teacher)(states, torch.tensor([3, 3]), asked).detach()
    logs = (states @ head.rows(written).T).log_softmax(1).detach()
    soft = -(0.25 * logs[0, 2] + 0.75 * logs[0, 7])
    assert float(found[0]) == pytest.approx(float(-0.6 * logs[0, 3] + 0.4 * soft), rel=1e-4)
    assert float(found[1]) == pytest.approx(-float(logs[1, 3]), rel=1e-4)


@pytest.fixture(scope="module")
def trained(catalogue, training, shared_build):
    step = SFT(
        corpora=[NextItem(each="user", separator="")],
        epochs=20, batch_size=20, learning_rate=5e-3, scoring="legal", select_by="recall@10",
        dense={"negatives": 20, "start": "co-occurrence"},
    )  # fmt: skip
    return step.train({"main": shared_build()}, catalogue, training, Context(seed=2))


@pytest.fixture(scope="module")
def shared_build(catalogue):
    from genrec_core.builtin.tiny_backbones import TinyCausal

    shape = {"hidden": 64, "layers": 2, "heads": 2, "intermediate": 96, "vocabulary": 280}
    return lambda: TinyCausal(**shape, device="cpu").build(catalogue, Context(seed=1))


def test_what_is_certain_is_learnt_by_the_head_alone(trained, catalogue, training):
    requests = list(training.valid.requests())
    with Dense(items=5).open({"main": trained.model}, catalogue, PROMPTS, Context()) as session:
        answers = list(session.recommend(requests))
    hits = [answer.beams[0].items[0] for answer in answers]
    assert np.mean(np.array(hits) == training.valid.targets) > 0.7
    assert all(len(answer.beams) == 5 for answer in answers)


def test_beams_are_ranked_by_both(trained, catalogue, training, tmp_path):
    trained.model.save(tmp_path)
    model = load_model(tmp_path, device="cpu")
    requests = list(training.valid.requests())[:4]

    def answers(recommender):
        with recommender.open({"main": model}, catalogue, PROMPTS, Context()) as session:
            return list(session.recommend(requests)), session

    plain, _ = answers(Beam(beams=60, search="exhaustive", dense=0))
    both, _ = answers(Beam(beams=60, search="exhaustive"))
    alone, session = answers(Dense(items=60))
    for row in range(len(requests)):
        tokens = {beam.tokens: beam.score for beam in plain[row].beams}
        rows = {beam.items[0]: beam.score for beam in alone[row].beams}
        wanted = {item: tokens[catalogue.identifiers.tokens(item)] + score for item, score in rows.items()}
        found = {beam.items[0]: beam.score for beam in both[row].beams}
        assert found == pytest.approx(wanted, abs=1e-3)
        scores = [beam.score for beam in both[row].beams]
        assert scores == sorted(scores, reverse=True)
    logits = next(session.logits(requests[:1]))
    assert {item: float(logits[item]) for item in range(60)} == pytest.approx(
        {beam.items[0]: beam.score for beam in alone[0].beams}, abs=1e-4
    )


def test_what_is_excluded_is_not_answered(trained, catalogue):
    request = Request("u", (0, 7), exclude=(14, 21, 59))
    for recommender in (Dense(items=60), Beam(beams=60, search="exhaustive")):
        with recommender.open({"main": trained.model}, catalogue, PROMPTS, Context()) as session:
            (answer,) = session.recommend([request])
        assert {beam.items[0] for beam in answer.beams} == set(range(60)) - {14, 21, 59}
        allowed = Request("u", (0, 7), only=frozenset({3, 14, 21}), exclude=(21,))
        with recommender.open({"main": trained.model}, catalogue, PROMPTS, Context()) as session:
            (answer,) = session.recommend([allowed])
        assert {beam.items[0] for beam in answer.beams} == {3, 14}


def test_fused_reads_what_the_head_says_of_all_items(trained, catalogue):
    fused = Fused(recommenders=[Dense(items=3)], weights=(1.0,), pool=60)
    with fused.open({"main": trained.model}, catalogue, PROMPTS, Context()) as session:
        (answer,) = session.recommend([Request("u", (0, 7))])
    assert len(answer.beams) == 60


def test_items_that_share_an_identifier_are_told_apart_and_new_items_are_ranked(trained, catalogue):
    ids, items = catalogue.identifiers, catalogue.items
    rows = [*(ids.tokens(item) for item in range(60)), ids.tokens(7), ("<a_0>", "<b_0>", "<c_0>")]
    fields = {"title": [f"thing {item}" for item in range(62)]}
    grown = Catalogue(
        Items((*items.ids, "60", "61"), fields), Identifiers.of(rows, new_tokens=ids.new_tokens)
    )
    with Beam(beams=62, search="exhaustive").open({"main": trained.model}, grown, PROMPTS, Context()) as one:
        (answer,) = one.recommend([Request("u", (0,))])
    named = [beam.items[0] for beam in answer.beams]
    assert sorted(named) == list(range(62))
    scores = dict(zip(named, (beam.score for beam in answer.beams), strict=True))
    assert scores[7] > scores[60]  # the old item has a row of its own as well


def test_wrong_combinations_are_refused(build, catalogue):
    with pytest.raises(ValidationError, match="`dense` trains a head whole, not `new-rows`"):
        SFT(dense={}, trainable="new-rows")
    with pytest.raises(GenrecError, match="the model has no dense head to rank by"):
        Dense().open({"main": build()}, catalogue, PROMPTS, Context())
    with pytest.raises(GenrecError, match="the model has no dense head"):
        Beam(dense=0.5).open({"main": build()}, catalogue, PROMPTS, Context())


def test_a_killed_run_goes_on_to_the_same_head(shared_build, catalogue, training, tmp_path):
    def step(**changes):
        return SFT(corpora=[NextItem(each="user", separator="")], batch_size=20, scoring="legal",
                   dense={"negatives": 8}, patience=None, **changes)  # fmt: skip

    context = Context(seed=4, workspace=tmp_path / "whole")
    whole = step(epochs=3).train({"main": shared_build()}, catalogue, training, context).model
    other = dataclasses.replace(context, workspace=tmp_path / "again")
    again = step(epochs=3).train({"main": shared_build()}, catalogue, training, other).model
    assert torch.equal(whole.dense.own, again.dense.own)
    assert not torch.equal(whole.dense.own, torch.zeros_like(whole.dense.own))


def test_the_trie_of_legal_training_and_the_head_share_states(build, catalogue, training):
    model = build()
    tries = AnswerTries(Renderer(model, catalogue))
    samples = list(NextItem(each="user", separator="").samples(training.train, catalogue, Context()))[:4]
    table = rendered_table(samples, Renderer(model, catalogue), Context(), "users", tries, dense=True)
    head, written = head_of(model, catalogue)
    attach(model.network, head)
    batch = Collator(table, "causal", model.pad_id).batch(np.arange(4))
    losses, _ = learnt_losses(model.network, batch, dense=DenseLoss(head, written, None, 1.0))
    losses.sum().backward()
    assert float(head.own.grad.abs().sum()) > 0
    assert float(model.network.get_input_embeddings().weight.grad.abs().sum()) > 0
