"""Thoughts before beams: budget, closing, several thoughts and how their beams become one list."""

import math

import pytest
import torch
from pydantic import ValidationError

from genrec_core import Candidate, Candidates, Catalogue, Context, GenrecError, Identifiers, Items
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.think import Think
from genrec_core.builtin.tiny_backbones import TinySeq2Seq
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.free_text import FreeSettings, uniforms, write_freely, written_texts
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.decoding.thoughts import (
    Behind,
    ThinkSettings,
    Thought,
    beams_behind_thoughts,
    merged,
    think_then_beam,
    written_thoughts,
)
from genrec_core.testing.sessions import ask
from tests.engine.decoding.test_decoder import REQUESTS, built

ROWS = [("<a_0>", "<b_0>"), ("<a_0>", "<b_1>"), ("<a_1>", "<b_0>"), ("<a_1>", "<b_1>")]


@pytest.fixture(scope="module")
def catalogue():
    items = Items(tuple(f"i{n}" for n in range(6)), {"title": [f"thing {n}" for n in range(6)]})
    rows = [*ROWS, ("<a_2>", "<b_0>"), ("<a_2>", "<b_1>")]
    new = [f"<{level}_{code}>" for level in "ab" for code in range(3)]
    return Catalogue(items, Identifiers.of(rows, new_tokens=new))


@pytest.fixture(scope="module")
def decoder(catalogue):
    return Decoder(built(catalogue, 1), catalogue, DecoderSettings(beams=4))


@pytest.fixture(scope="module")
def samples(catalogue):
    return [NextItem().prompt(request, catalogue, Context()) for request in REQUESTS]


def behind(text, *scores, cut=False):
    """A thought and beams with these scores, the n-th of them for the n-th row."""
    beams = [Candidate(ROWS[place], score) for place, score in enumerate(scores) if score is not None]
    beams.sort(key=lambda beam: -beam.score)
    thought = Thought((1, 2, 3), (9,), 0 if cut else 1, cut, text)
    return Behind(thought, Candidates(tuple(beams), {"finish": 2 * len(beams)}))


def scores(answer):
    return {beam.tokens: pytest.approx(beam.score, abs=1e-9) for beam in answer.beams}


LOG = [math.log(share) for share in (0.5, 0.3, 0.2)]


@pytest.mark.parametrize(
    ("how", "expected", "thought"),
    [
        # Thought one: A .5, B .3. Thought two: B .5, C .2. Thought three: B .3, A .2.
        ("max", [(0, LOG[0]), (1, LOG[0]), (2, LOG[2])], "one"),
        ("logsumexp", [(1, math.log(1.1 / 3)), (0, math.log(0.7 / 3)), (2, math.log(0.2 / 3))], "two"),
        ("vote", [(1, (1 / 2 + 1 + 1) / 3), (0, (1 + 1 / 2) / 3), (2, 1 / 2 / 3)], "two"),
        ("best", [(0, LOG[0]), (1, LOG[1])], "one"),
    ],
)
def test_beams_behind_several_thoughts_become_one_list(how, expected, thought):
    group = [
        behind("one", LOG[0], LOG[1]),
        behind("two", None, LOG[0], LOG[2], cut=True),
        behind("three", LOG[2], LOG[1]),
    ]
    answer = merged(group, how, 4)
    assert [beam.tokens for beam in answer.beams] == [ROWS[place] for place, _ in expected]
    assert [beam.score for beam in answer.beams] == pytest.approx([score for _, score in expected])
    assert answer.thought == thought
    assert answer.phases == {"think": 9, "cut": 1, "finish": 12}
    assert merged(group, how, 1).beams == answer.beams[:1]


def test_a_thought_without_beams_harms_nobody():
    for how in ("max", "logsumexp", "vote", "best"):
        answer = merged([behind("nothing"), behind("one", LOG[0])], how, 4)
        assert [beam.tokens for beam in answer.beams] == [ROWS[0]]
        assert answer.thought == "one"
    assert merged([behind("a"), behind("b")], "max", 4).beams == ()


def test_answers_are_the_beams_behind_prompt_opening_thought_and_closing(decoder, samples):
    settings = ThinkSettings(budget=4, opening="(", closing=")", temperature=9.0, count=2)
    opening, closing = settings.around(decoder.model)
    for sample, group in zip(samples, beams_behind_thoughts(decoder, samples, settings, 3), strict=True):
        assert len(group) == 2
        for one in group:
            assert one.thought.cut == (one.thought.written == 0)
            assert list(one.thought.closing) == closing
            ids = [*decoder.renderer.prompt(sample), *opening, *one.thought.tokens, *closing]
            (plain,) = decoder.answers([sample], [ids])
            assert [beam.tokens for beam in plain.beams] == [beam.tokens for beam in one.answer.beams]
            assert [b.score for b in plain.beams] == pytest.approx(
                [b.score for b in one.answer.beams], abs=1e-5
            )


def test_a_thought_depends_on_its_prompt_its_number_and_the_seed_alone(decoder, samples):
    def thoughts(some, count, seed=3, batch_tokens=10_000):
        settings = ThinkSettings(budget=6, temperature=9.0, count=count)
        prompts = [decoder.renderer.prompt(sample) for sample in some]
        return written_thoughts(
            decoder.model, decoder.head, prompts, settings, noise=seed, batch_tokens=batch_tokens
        )

    five = thoughts(samples, 5)
    assert [group[:1] for group in five] == thoughts(samples, 1)
    assert five == thoughts(samples, 5, batch_tokens=1)
    assert five[2:3] == thoughts(samples[2:3], 5)
    assert five != thoughts(samples, 5, seed=4)
    assert len({thought.tokens for thought in five[0]}) > 1


def test_a_budget_of_nothing_gives_an_empty_thought_that_nobody_cut(decoder, samples):
    settings = ThinkSettings(budget=0, opening="(", closing=")")
    (answer,) = think_then_beam(decoder, samples[:1], settings)
    assert answer.phases["think"] == answer.phases["cut"] == 0
    (plain,) = decoder.answers(
        samples[:1],
        [
            [
                *decoder.renderer.prompt(samples[0]),
                *decoder.model.tokenise(["("])[0],
                *decoder.model.tokenise([")"])[0],
            ]
        ],
    )
    assert [beam.tokens for beam in plain.beams] == [beam.tokens for beam in answer.beams]


class Scripted:
    """A search state whose model writes what a script says, whatever the prompt."""

    def __init__(self, script, vocabulary):
        self.script, self.vocabulary, self.at = script, vocabulary, 0

    def start(self, prompts, prefixes=None):
        return self._state(len(prompts), 1)

    def advance(self, parents, tokens):
        self.at += 1
        return self._state(*parents.shape)

    def _state(self, rows, width):
        state = torch.zeros(rows, width, self.vocabulary)
        state[..., self.script[min(self.at, len(self.script) - 1)]] = 50.0
        return state


class Identity:
    """An output matrix that gives the state back."""

    def logits(self, hidden):
        return hidden


def written_by(script, model, settings, monkeypatch):
    """The thought of a model that writes these ids."""
    from genrec_core.engine.decoding import free_text

    state = Scripted(script, len(model.text_tokenizer))
    monkeypatch.setattr(free_text, "decode_state_for", lambda *_, **__: state)
    ((thought,),) = written_thoughts(model, Identity(), [[5, 6]], settings, noise=0, batch_tokens=1000)
    return thought


def test_a_thought_is_closed_by_the_model_or_for_it_and_the_second_is_counted(decoder, monkeypatch):
    model = decoder.model
    # In this text tokenizer the closing's visible part is a piece of its own: "\n", "<a_2>", "\n".
    settings = ThinkSettings(budget=6, opening="(", closing="\n<a_2>\n")
    words, core = model.tokenise(["red"])[0], model.token_ids(["<a_2>"])
    closing = model.tokenise(["\n<a_2>\n"])[0]
    assert closing[-2:-1] == core

    whole = written_by([*words, *closing], model, settings, monkeypatch)
    bare = written_by([*words, *core, *words], model, settings, monkeypatch)
    cut = written_by([*words, *words, *words, *words, *words, *words], model, settings, monkeypatch)
    ended = written_by([*words, model.end_id], model, settings, monkeypatch)
    assert (bare.tokens, bare.closing) == (tuple(words), tuple(closing[1:]))
    assert (bare.written, bare.cut) == (1, False), "white space around the tag is given, the tag was written"
    assert whole.text == bare.text == ended.text == "red"
    assert not whole.cut
    assert whole.written >= 1
    assert (cut.cut, cut.written, len(cut.tokens), list(cut.closing)) == (True, 0, 6, closing)
    assert (ended.cut, ended.tokens, list(ended.closing)) == (True, tuple(words), closing)


def test_sampled_tokens_follow_the_model_one_number_each():
    class Even:
        def logits(self, hidden):
            return torch.tensor([0.5, 0.25, 0.25]).log().expand(len(hidden), 3)

    settings = FreeSettings(max_tokens=1, count=4, temperature=1.0)
    noise = torch.tensor([0.0, 0.49, 0.5, 0.99], dtype=torch.float64).reshape(1, 4, 1)
    state = Scripted([0], 3)
    texts = write_freely(state, Even(), [[1]], settings, noise)
    assert [text.tokens for text in texts[0]] == [(0,), (0,), (1,), (2,)]
    many = uniforms([[1, 2], [3]], FreeSettings(max_tokens=500, count=2, temperature=1.0), 7)
    assert many.shape == (2, 2, 500)
    assert float(many.mean()) == pytest.approx(0.5, abs=0.04)


def test_a_greedy_text_needs_no_noise(decoder, samples):
    prompts = [decoder.renderer.prompt(sample) for sample in samples]
    greedy = FreeSettings(max_tokens=3, count=1)
    texts = written_texts(decoder.model, decoder.head, prompts, greedy, None, 1000)
    state = decode_state_for(decoder.model, steps=3, width=1)
    assert texts == write_freely(state, decoder.head, prompts, greedy)


def test_a_prompt_without_room_for_a_thought_is_refused(decoder, samples):
    most = decoder.model.max_length
    with pytest.raises(
        GenrecError, match=rf"a thought of `{most}` and the .* do not fit into the {most} tokens"
    ):
        list(think_then_beam(decoder, samples, ThinkSettings(budget=most)))


def test_an_encoder_decoder_model_does_not_think(catalogue):
    model = TinySeq2Seq(hidden=32, layers=1, heads=2, vocabulary=300).build(catalogue, Context())
    thinker = Think(beams=2)
    with pytest.raises(GenrecError, match="an encoder-decoder model writes answers only"):
        list(ask(thinker, {"main": model}, REQUESTS, catalogue, NextItem(), Context()))


def test_modes_answer_the_same_prompt_with_a_thought_an_empty_one_or_none(decoder, catalogue):
    def answered(**options):
        thinker = Think(beams=3, budget=5, **options)
        return list(ask(thinker, {"main": decoder.model}, REQUESTS, catalogue, NextItem(), Context(seed=2)))

    think, empty, none = (answered(mode=mode) for mode in ("think", "empty", "none"))
    assert all(0 <= answer.phases["think"] <= 5 for answer in think)
    assert all(answer.phases["think"] == 0 and answer.thought == "" for answer in empty)
    assert all("think" not in answer.phases for answer in none)
    drawn = answered(thoughts=3, temperature=1.0, merge="vote")
    assert drawn == answered(thoughts=3, temperature=1.0, merge="vote")
    assert all(answer.phases["think"] <= 15 and len(answer.beams) == 3 for answer in drawn)
    assert Think(temperature=1.0).is_seeded()
    assert not Think().is_seeded()
    assert not Think(mode="empty", temperature=1.0).is_seeded()


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(
        ValidationError, match="3 thoughts of one prompt are all the same at `temperature: 0`"
    ):
        Think(thoughts=3)
    with pytest.raises(ValidationError, match="`closing` must hold more than white space"):
        Think(closing="\n\n")
