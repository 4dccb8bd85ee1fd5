"""Free beam search: exact where every continuation is kept, stopped by texts, and never without an answer."""

import itertools

import pytest
import torch

from genrec_core import Candidates, Catalogue, Context, Identifiers, Items, Request
from genrec_core.builtin.free_beam import FreeBeam
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import ItemRef, Sample, Text
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.free_beam import (
    FreeBeamSettings,
    FreeDecoder,
    FreeDecoderSettings,
    search_freely,
    spelt,
)
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.testing.sessions import ask
from tests.engine.decoding.random_models import END, VOCABULARY, random_model

PROMPTS = [[5, 6, 7], [9]]


def found(model, stop, beams, max_tokens):
    settings = FreeBeamSettings(beams, max_tokens, stop)
    state = decode_state_for(model, steps=max_tokens, width=beams)
    return search_freely(state, OutputHead(model.network), PROMPTS, settings)


def log_probabilities(model, prompt, texts):
    """Summed log-probability of each text, by one plain forward pass over all of them."""
    ids = torch.tensor([[*prompt, *text] for text in texts])
    with torch.inference_mode():
        logits = model.network(ids).logits.float().log_softmax(dim=-1)
    begin = len(prompt)
    return sum(
        logits[torch.arange(len(ids)), begin + step - 1, ids[:, begin + step]]
        for step in range(ids.shape[1] - begin)
    )


@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_with_a_beam_for_every_token_the_search_is_exact(family):
    model = random_model(family)
    texts = list(itertools.product(range(VOCABULARY), range(VOCABULARY)))
    for prompt, answers in zip(PROMPTS, found(model, ((END,),), VOCABULARY, 2), strict=True):
        pairs = log_probabilities(model, prompt, texts)
        single = log_probabilities(model, prompt, [[token] for token in range(VOCABULARY)])
        scores = {text: float(score) for text, score in zip(texts, pairs, strict=True) if text[0] != END} | {
            (END,): float(single[END])
        }
        best = sorted(scores.items(), key=lambda pair: -pair[1])[:40]
        ours = [(*one.tokens, END) if one.complete else one.tokens for one in answers[:40]]
        assert ours == [text for text, _ in best]
        assert [one.score for one in answers[:40]] == pytest.approx([score for _, score in best], abs=1e-4)


def test_a_stop_sequence_of_two_tokens_ends_a_text_and_is_no_part_of_it():
    model = random_model("qwen3")
    likely = found(model, ((END,),), 3, 4)[0]
    cut = next(answer for answer in likely if not answer.complete)
    stopped = found(model, ((END,), cut.tokens[1:3]), 3, 4)[0]
    ends = [answer for answer in stopped if answer.tokens == cut.tokens[:1]]
    assert ends
    assert ends[0].complete


def test_what_the_budget_cuts_off_is_returned_and_marked():
    answers = found(random_model("qwen3"), ((END,),), 4, 1)
    for row in answers:
        assert len(row) == 4
        assert all(answer.complete == (answer.tokens == ()) for answer in row)


WORDS = [("red", "tent"), ("red", "tent-pole"), ("blue", "lamp"), ("oil", "lamp")]


@pytest.fixture(scope="module")
def catalogue():
    titles = ["red tent", "pole for a red tent", "blue lamp", "oil lamp"]
    return Catalogue(Items(tuple("abcd"), {"title": titles}), Identifiers.of(WORDS, separator=", "))


@pytest.fixture(scope="module")
def model(catalogue):
    shape = {"hidden": 32, "layers": 2, "heads": 2, "intermediate": 48, "vocabulary": 300}
    return TinyCausal(**shape, device="cpu").build(catalogue, Context(seed=2))


def taught(model, catalogue, closing):
    """The model after a few steps on prompts that are answered in the catalogue's words."""
    renderer = Renderer(model, catalogue)
    optimiser = torch.optim.AdamW(model.network.parameters(), lr=1e-2)
    for _ in range(30):
        for item in range(4):
            tail = (Text(closing, learn=True),) if closing else ()
            asked = (Text("x"), ItemRef(item, learn=True), *tail)
            rendered = renderer.rendered(Sample(asked, append_eos=not closing))
            ids = torch.tensor([rendered.ids])
            labels = ids.masked_fill(~torch.tensor([rendered.learn]), -100)
            model.network(ids, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model


def test_free_beams_write_the_identifiers_that_constrained_ones_do(model, catalogue):
    """GRLM 1.5 pitfall 5: without a stop behind the identifier beams differ in what follows it only."""
    taught(model, catalogue, "\n")
    asked = Sample((Text("x"),), stop_text="\n")
    free = FreeDecoder(model, catalogue, FreeDecoderSettings(8, 24))
    bound = Decoder(model, catalogue, DecoderSettings(4))
    (written,), (legal,) = list(free.candidates([asked])), list(bound.candidates([asked]))
    assert set(WORDS) <= {beam.tokens for beam in written.beams}
    assert {beam.tokens for beam in legal.beams} == set(WORDS)
    # "tent" begins "tent-pole", so the trie ends it with the task's closing text, which the model has learnt.
    short = {beam.tokens: beam.score for beam in legal.beams}["red", "tent"]
    assert short == pytest.approx({b.tokens: b.score for b in written.beams}["red", "tent"], abs=1e-4)


def test_batching_changes_nothing(model, catalogue):
    requests = [Request("u", history) for history in [(0,), (1, 2, 3), (3, 3)]]

    def answers(**options) -> list[Candidates]:
        component = FreeBeam(beams=3, max_tokens=5, **options)
        return list(ask(component, {"main": model}, requests, catalogue, NextItem(), Context()))

    together, alone = answers(), answers(batch_tokens=1)
    assert [[b.text for b in one.beams] for one in together] == [[b.text for b in one.beams] for one in alone]


def test_a_text_that_spells_no_identifier_is_cut_at_the_separator(catalogue):
    assert spelt("red, tent", catalogue.identifiers) == ("red", "tent")
    assert spelt("red,  tent,, pole", catalogue.identifiers) == ("red", "tent,", "pole")
    assert spelt("", catalogue.identifiers) == ()


def test_a_task_answered_with_text_that_means_no_item_is_refused(model, catalogue):
    decoder = FreeDecoder(model, catalogue, FreeDecoderSettings(beams=2, max_tokens=2))
    with pytest.raises(GenrecError, match="task `chat` is answered with text that means no item"):
        list(decoder.candidates([Sample((Text("a"),), answer_form="", task="chat")]))
