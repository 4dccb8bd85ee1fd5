"""Legal training counts exactly the tokens that constrained decoding could write."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec_core import Catalogue, Identifiers, ItemRef, Items, Sample, Text
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinyCausal, TinySeq2Seq
from genrec_core.contracts.context import Context
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.model import load_model
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.batch_plan import Collator
from genrec_core.engine.training.loss import LegalLoss, learnt_losses, target_nodes
from genrec_core.engine.training.sample_table import rendered_table
from genrec_core.identifiers.trie import compile_trie
from genrec_core.testing.sessions import ask


def test_each_token_of_a_learnt_identifier_knows_its_node():
    trie = compile_trie([[5, 7], [5, 8], [6, 7]])
    ids = np.array([9, 5, 7, 9, 6, 7, 2], dtype=np.int32)
    learn = np.array([0, 1, 1, 0, 1, 1, 1], dtype=bool)
    assert target_nodes(trie, ids, learn, [1, 4]).tolist() == [-1, 1, 3, -1, 2, 5, -1]


def test_an_end_that_tells_identifiers_apart_has_a_node_too():
    trie = compile_trie([[5], [5, 7]], terminator=2, terminate="ambiguous")
    ids = np.array([5, 2, 5, 7, 2], dtype=np.int32)
    nodes = target_nodes(trie, ids, np.ones(5, dtype=bool), [0, 2])
    assert nodes.tolist() == [1, 2, 1, 3, -1]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_loss_is_cross_entropy_among_the_children(build, smoothing, data):
    paths = data.draw(
        st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=2, max_size=40, unique=True), label="paths"
    )
    trie = compile_trie(paths)
    nodes = data.draw(st.lists(st.integers(1, len(trie.tokens) - 1), min_size=1, max_size=30), label="nodes")
    head = OutputHead(build().network)
    hidden = torch.randn(len(nodes), 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = LegalLoss(trie, head)(hidden, torch.tensor(nodes), smoothing)
    logits, expected = head.logits(hidden), []
    for row, node in enumerate(nodes):
        parent = int(trie.parents[node])
        legal = trie.legal(parent).tolist()
        target = torch.tensor([node - int(trie.first[parent])])
        scores = logits[row, legal][None]
        expected.append(torch.nn.functional.cross_entropy(scores, target, label_smoothing=smoothing))
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-5, rtol=1e-5)
    (gradient,) = torch.autograd.grad(found.sum(), hidden, retain_graph=True)
    (wanted,) = torch.autograd.grad(torch.stack(expected).sum(), hidden)
    torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("each", "family"), [("prefix", "causal"), ("user", "causal"), ("prefix", "seq2seq")]
)
def test_losses_of_an_identifier_sum_to_its_score_in_legal_decoding(build, catalogue, training, each, family):
    model = build()
    if family == "seq2seq":
        shape = {"hidden": 64, "layers": 1, "heads": 2, "intermediate": 96, "vocabulary": 280}
        model = TinySeq2Seq(**shape, device="cpu").build(catalogue, Context(seed=1))
    corpus = NextItem(each=each)
    renderer = Renderer(model, catalogue)
    tries = AnswerTries(renderer)
    samples = corpus.samples(training.valid, catalogue, Context())
    table = rendered_table(samples, renderer, Context(), "valid", tries)
    batch = Collator(table, model.family, model.pad_id).batch(np.arange(len(table)))
    with torch.no_grad():
        losses, _ = learnt_losses(
            model.network, batch, legal=LegalLoss(tries.trie, OutputHead(model.network))
        )
    learnt = losses.reshape(len(table), -1)[:, :3].sum(1)  # the fourth is the end of the text
    exhaustive = Beam(search="exhaustive", scoring="legal", beams=len(catalogue.items))
    answers = ask(exhaustive, {"main": model}, list(training.valid.requests()), catalogue, corpus, Context())
    for loss, answer, target in zip(learnt.tolist(), answers, training.valid.targets, strict=True):
        wanted = catalogue.identifiers.tokens(int(target))
        score = next(beam.score for beam in answer.beams if beam.tokens == wanted)
        assert -loss == pytest.approx(score, abs=1e-4)


def test_a_model_remembers_what_it_was_trained_with(build, catalogue, training, tmp_path):
    trainer = SFT(corpora=[NextItem()], scoring="legal", max_steps=3)
    model = trainer.train({"main": build()}, catalogue, training, Context()).model
    model.save(tmp_path)
    again = load_model(tmp_path, device="cpu")
    assert again.scoring == "legal"
    requests = list(training.valid.requests())[:3]

    def scores(**options):
        beams = Beam(beams=2, **options)
        answers = ask(beams, {"main": again}, requests, catalogue, NextItem(), Context())
        return [beam.score for answer in answers for beam in answer.beams]

    assert scores() == scores(scoring="legal")
    assert scores() != scores(scoring="full")


def test_training_ends_an_answer_as_decoding_does():
    """ "tent" begins "tent-pole": only the token behind it tells them apart, and each task has its own."""
    words = [("red", "tent"), ("red", "tent-pole"), ("blue", "lamp")]
    titles = {"title": ["red tent", "a pole for it", "blue lamp"]}
    catalogue = Catalogue(Items(("a", "b", "c"), titles), Identifiers.of(words, separator=", "))
    shape = {"hidden": 32, "layers": 2, "heads": 2, "intermediate": 48, "vocabulary": 300}
    model = TinyCausal(**shape, device="cpu").build(catalogue, Context(seed=2))
    renderer = Renderer(model, catalogue)
    tries = AnswerTries(renderer)
    ends = {"": True, "\n": False}
    samples = [
        Sample(
            (Text("x"), ItemRef(item, learn=True), *(() if append_eos else (Text(stop, learn=True),))),
            append_eos=append_eos,
            stop_text=stop,
        )
        for stop, append_eos in ends.items()
        for item in range(3)
    ]
    table = rendered_table(samples, renderer, Context(), "both", tries)
    batch = Collator(table, "causal", model.pad_id).batch(np.arange(len(table)))
    with torch.no_grad():
        losses, _ = learnt_losses(
            model.network, batch, legal=LegalLoss(tries.trie, OutputHead(model.network))
        )
    rows = np.repeat(np.arange(len(table)), table.lengths)[table.learn]
    legal = table.nodes[table.learn] >= 0
    decoder = Decoder(model, catalogue, DecoderSettings(3, scoring="legal"))
    for place, stop in enumerate(ends):
        (found,) = decoder.candidates([Sample((Text("x"),), stop_text=stop)])
        scores = {beam.tokens: beam.score for beam in found.beams}
        for item, tokens in enumerate(words):
            summed = float(losses[torch.from_numpy((rows == 3 * place + item) & legal)].sum())
            assert -summed == pytest.approx(scores[tokens], abs=1e-4)
