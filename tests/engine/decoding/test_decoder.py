"""The decoder over a real text tokenizer: order, batching, forms, thoughts, hand-over."""

import numpy as np
import pytest
import torch

from genrec_core import Catalogue, Context, Identifiers, Items, Request, Sample, Text
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.thoughts import ThinkSettings, think_then_beam
from genrec_core.engine.decoding.two_models import finish, prefixes
from genrec_core.testing.sessions import ask

TITLES = ["red tent", "red tent large", "blue lamp", "green boots", "warm socks", "blue lamp"]


@pytest.fixture(scope="module")
def catalogue():
    rows = [("<a_0>", "<b_0>"), ("<a_0>", "<b_1>"), ("<a_1>", "<b_0>", "<c_0>"), ("<a_1>", "<b_0>", "<c_1>"),
            ("<a_1>", "<b_1>"), ("<a_2>", "<b_1>")]  # fmt: skip
    new = [f"<{level}_{code}>" for level in "abc" for code in range(3)]
    items = Items(tuple(f"i{n}" for n in range(6)), {"title": TITLES})
    return Catalogue(items, Identifiers.of(rows, new_tokens=new))


def built(catalogue, seed):
    model = TinyCausal(hidden=32, layers=2, heads=2, intermediate=48, vocabulary=300).build(
        catalogue, Context(seed=seed)
    )
    with torch.no_grad():
        model.network.get_input_embeddings().weight.normal_(
            0, 0.5, generator=torch.Generator().manual_seed(seed)
        )
    return model


@pytest.fixture(scope="module")
def model(catalogue):
    return built(catalogue, 1)


REQUESTS = [Request("u", history) for history in [(0,), (1, 2, 3), (4, 5), (2,), (5, 4, 3, 2, 1), (3, 3)]]


def answers(model, catalogue, **options):
    return list(ask(Beam(**options), {"main": model}, REQUESTS, catalogue, NextItem(), Context()))


def test_answers_come_in_order_and_do_not_depend_on_batching(model, catalogue):
    together = answers(model, catalogue, beams=4)
    alone = answers(model, catalogue, beams=4, batch_tokens=1)
    assert len(together) == len(REQUESTS)
    for one, other in zip(together, alone, strict=True):
        assert [beam.tokens for beam in one.beams] == [beam.tokens for beam in other.beams]
        assert [b.score for b in one.beams] == pytest.approx([b.score for b in other.beams], abs=1e-5)


def test_every_answer_is_an_identifier_of_the_catalogue(model, catalogue):
    for answer in answers(model, catalogue, beams=6):
        assert sorted(beam.tokens for beam in answer.beams) == sorted(catalogue.identifiers.distinct())
        assert answer.phases == {"finish": 2 + 2 + 3 + 3 + 2 + 2}, "the tokens of all beams"


@pytest.mark.parametrize("batch_tokens", [16384, 1])
def test_each_request_is_answered_without_its_excluded_items(model, catalogue, batch_tokens):
    decoder = Decoder(model, catalogue, DecoderSettings(beams=6, batch_tokens=batch_tokens))
    samples = [NextItem().prompt(request, catalogue, Context()) for request in REQUESTS]
    everything = list(decoder.candidates(samples))
    excluded = [[], [0], [1, 2], [0, 1, 2, 3, 4], list(range(6)), [5, 5]]
    found = list(decoder.candidates(samples, exclude=excluded))
    for one, other, items in zip(everything, found, excluded, strict=True):
        gone = {catalogue.identifiers.tokens(item) for item in items}
        assert [b.tokens for b in other.beams] == [b.tokens for b in one.beams if b.tokens not in gone]
    only = [None, *map(frozenset, ([2], [], [4, 5])), None, frozenset({0})]
    for one, items in zip(decoder.candidates(samples, only=only), only, strict=True):
        named = {catalogue.identifiers.tokens(item) for item in (range(6) if items is None else items)}
        assert {b.tokens for b in one.beams} == named


def test_exhaustive_search_returns_as_many_as_asked_and_the_best_ones(model, catalogue):
    exact = answers(model, catalogue, beams=6)
    few = answers(model, catalogue, beams=2, search="exhaustive")
    for one, other in zip(exact, few, strict=True):
        assert [beam.tokens for beam in one.beams[:2]] == [beam.tokens for beam in other.beams]


def test_titles_are_answers_too_and_one_may_continue_another(model, catalogue):
    prompt = NextItem(target="title")
    decoder = Decoder(model, catalogue, DecoderSettings(beams=5))
    found = list(decoder.candidates(prompt.prompt(request, catalogue, Context()) for request in REQUESTS))
    for answer in found:
        assert {beam.text for beam in answer.beams} == set(TITLES)
        assert all(beam.tokens == () for beam in answer.beams)


def test_mixed_forms_keep_their_own_answers(model, catalogue):
    by_title, by_id = NextItem(target="title"), NextItem()
    samples = [
        (by_title if n % 2 else by_id).prompt(request, catalogue, Context())
        for n, request in enumerate(REQUESTS)
    ]
    for n, answer in enumerate(Decoder(model, catalogue, DecoderSettings(beams=3)).candidates(samples)):
        assert all(bool(beam.tokens) != bool(n % 2) for beam in answer.beams)


def test_a_task_without_answers_is_refused(model, catalogue):
    decoder = Decoder(model, catalogue, DecoderSettings())
    with pytest.raises(GenrecError, match="task `chat` has no constrained answer"):
        list(decoder.candidates([Sample((Text("a"),), answer_form="", task="chat")]))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_thinking_spends_at_most_its_budget_and_still_answers(model, catalogue, temperature):
    decoder = Decoder(model, catalogue, DecoderSettings(beams=4))
    samples = [NextItem().prompt(request, catalogue, Context()) for request in REQUESTS]
    settings = ThinkSettings(budget=5, temperature=temperature)
    found = list(think_then_beam(decoder, samples, settings, seed=0))
    assert len(found) == len(REQUESTS)
    for answer in found:
        assert answer.phases["think"] <= 5
        assert answer.phases["cut"] in (0, 1)
        assert all(len(catalogue.identifiers.items_of(beam.tokens)) for beam in answer.beams)
        assert len(answer.beams) == 4


def test_a_second_model_finishes_what_the_first_began(model, catalogue):
    # OneRec-Think check 7: stage-1 prefixes, stage-2 scores, and only later tokens change with model 2.
    sample = NextItem().prompt(REQUESTS[1], catalogue, Context())
    first = Decoder(model, catalogue, DecoderSettings(beams=2))
    (begun,) = prefixes(first, [sample], depth=1)
    assert [len(prefix) for prefix in begun] == [1, 1]
    finished = []
    for seed in (2, 3):
        second = Decoder(built(catalogue, seed), catalogue, DecoderSettings(beams=6))
        answer = finish(second, sample, begun)
        assert {beam.tokens[:1] for beam in answer.beams} == set(begun)
        assert answer.phases == {"prefix": 2, "finish": sum(len(beam.tokens) - 1 for beam in answer.beams)}
        finished.append([beam.score for beam in answer.beams])
    assert not np.allclose(finished[0], finished[1])


def test_what_may_not_be_answered_is_neither_begun_nor_finished(model, catalogue):
    sample = NextItem().prompt(REQUESTS[1], catalogue, Context())
    decoder = Decoder(model, catalogue, DecoderSettings(beams=6))
    rows = [catalogue.identifiers.tokens(item) for item in range(6)]
    left_out = [item for item, row in enumerate(rows) if row[0] == rows[0][0]]
    (begun,) = prefixes(decoder, [sample], 1, exclude=[left_out])
    assert set(begun) == {row[:1] for row in rows} - {rows[0][:1]}
    (begun,) = prefixes(decoder, [sample], 1, only=[frozenset(left_out)])
    assert begun == [rows[0][:1]]
    every = sorted({row[:1] for row in rows})
    answer = finish(decoder, sample, every, exclude=left_out)
    assert {beam.tokens for beam in answer.beams} == set(rows) - {rows[0]} - {rows[item] for item in left_out}
    answer = finish(decoder, sample, every, exclude=[5], only=frozenset({4, 5}))
    assert {beam.tokens for beam in answer.beams} == {rows[4]}
    assert finish(decoder, sample, every, only=frozenset()).beams == ()


def test_handing_over_a_prefix_nobody_has_is_an_error(model, catalogue):
    decoder = Decoder(model, catalogue, DecoderSettings())
    sample = NextItem().prompt(REQUESTS[0], catalogue, Context())
    with pytest.raises(GenrecError, match="no identifier begins with any of the 1 prefixes"):
        finish(decoder, sample, [("<c_2>",)])


def test_decoders_of_one_model_and_catalogue_share_what_is_compiled(catalogue):
    model, other = built(catalogue, 1), built(catalogue, 2)
    first, second = (Decoder(model, catalogue, DecoderSettings(beams=beams)) for beams in (2, 3))
    assert first.constraint() is second.constraint()
    assert first.constraint("title") is second.constraint("title")
    assert first.constraint() is not first.constraint("title")
    again = Catalogue(catalogue.items, Identifiers.of([("<a_0>",), *[("<a_1>",)] * 5], new_tokens=["<a_0>"]))
    assert Decoder(model, again, DecoderSettings()).constraint() is not first.constraint()
    assert Decoder(other, catalogue, DecoderSettings()).constraint() is not first.constraint()


def test_a_model_keeps_a_bounded_number_of_compiled_tries(catalogue):
    model = built(catalogue, 1)
    for _ in range(12):
        fresh = Catalogue(Items(catalogue.items.ids, dict(catalogue.items.fields)), catalogue.identifiers)
        Decoder(model, fresh, DecoderSettings()).constraint()
    assert len(model.compiled) == 8
