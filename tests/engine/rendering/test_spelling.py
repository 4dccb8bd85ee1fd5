"""Identifiers meet text tokenizers: an item is decoded or its identifier is refused; none is out of reach."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core.builtin.exact import Exact
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.samples import Sample, Text
from genrec_core.contracts.views import Training, View
from genrec_core.engine.decoding import free_beam
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.decoding.free_beam import FreeAnswer, FreeDecoder, FreeDecoderSettings
from genrec_core.engine.models.vocabulary import extend
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.identifiers.health import health
from genrec_core.identifiers.spelling import meet_vocabulary, merge_same
from tests.engine.text_tokenizers import TEXT_TOKENIZERS, model_with

IDENTIFIERS = {
    "codes": Identifiers.of(
        [("<a_0>", "<b_0>"), ("<a_0>", "<b_1>"), ("<a_1>",)], new_tokens=("<a_0>", "<a_1>", "<b_0>", "<b_1>")
    ),
    "codes, two shared": Identifiers.of([("<a_0>",), ("<a_1>",), ("<a_0>",)], new_tokens=("<a_0>", "<a_1>")),
    "numbers without separator": Identifiers.of([("1", "12"), ("11", "2"), ("2",)]),
    "a separator inside a token": Identifiers.of([("red", "tent"), ("red tent",), ("lamp",)], separator=" "),
    "case": Identifiers.of([("Red", "tent"), ("red", "tent"), ("lamp",)], separator=" "),
    "full width": Identifiers.of([("red",), ("ｒｅｄ",), ("lamp",)], separator=" "),
    "another script": Identifiers.of([("мяч",), ("кот",), ("lamp",)], separator=" "),
    "one begins the other": Identifiers.of([("red",), ("red", "tent"), ("lamp",)], separator=" "),
}


def _catalogue(identifiers):
    names = tuple(f"i{place}" for place in range(len(identifiers)))
    return Catalogue(Items(names, {"title": list(names)}), identifiers)


@pytest.mark.parametrize("family", ["causal", "seq2seq"])
@pytest.mark.parametrize("text_tokenizer", TEXT_TOKENIZERS)
@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_every_item_is_decoded_or_its_identifier_is_refused(kind, text_tokenizer, family):
    model, catalogue = model_with(text_tokenizer, family), _catalogue(IDENTIFIERS[kind])
    extend(model, catalogue)
    spelt = model.tokenise([catalogue.identifiers.text(item) for item in range(3)])
    if any(model.text_tokenizer.unk_token_id in ids for ids in spelt):
        with pytest.raises(GenrecError, match="cannot write the identifiers of"):
            meet_vocabulary(catalogue, model, largest_share=1.0)
        return
    met = meet_vocabulary(catalogue, model, largest_share=1.0)
    catalogue = Catalogue(catalogue.items, met)
    decoder = Decoder(model, catalogue, DecoderSettings(beams=3, search="exhaustive"))
    (answer,) = decoder.candidates([Sample((Text("red"),))])
    ranked = Exact().open(catalogue, Context()).ground(answer)
    assert sorted(ranked.items.tolist()) == [0, 1, 2]
    assert ranked.invalid == 0
    distinct = len({tuple(ids) for ids in decoder.renderer.answer_ids()})
    assert health(met)["distinct"] == distinct == len(answer.beams)


@pytest.mark.parametrize("form", ["identifier", "title"])
@pytest.mark.parametrize("text_tokenizer", TEXT_TOKENIZERS)
@pytest.mark.parametrize("kind", ["case", "one begins the other", "codes"])
def test_what_was_learnt_to_be_written_is_read_back_as_the_item_also_without_a_constraint(
    kind, text_tokenizer, form, monkeypatch
):
    model, catalogue = model_with(text_tokenizer), _catalogue(IDENTIFIERS[kind])
    extend(model, catalogue)
    items = Items(catalogue.items.ids, {"title": ["Red Tent", "Ｌａｍｐ", "lamp x"]})
    catalogue = Catalogue(items, meet_vocabulary(catalogue, model, largest_share=1.0))
    decoder = FreeDecoder(model, catalogue, FreeDecoderSettings(beams=3, max_tokens=9))
    written = [
        FreeAnswer(tuple(ids), -float(place), complete=True)
        for place, ids in enumerate(decoder.renderer.answer_ids(form))
    ]
    monkeypatch.setattr(free_beam, "search_freely", lambda *_: [written])
    (answer,) = decoder.candidates([Sample((Text("red"),), answer_form=form)])
    ranked = Exact().open(catalogue, Context()).ground(answer)
    assert sorted(ranked.items.tolist()) == [0, 1, 2]
    assert ranked.invalid == 0


@pytest.mark.parametrize(
    ("kind", "text_tokenizer", "merged"),
    [
        ("codes", "lower-casing", 0),
        ("numbers without separator", "byte-level", 1),
        ("a separator inside a token", "byte-level", 1),
        ("case", "lower-casing", 1),
        ("case", "byte-level", 0),
        ("full width", "nfkc", 1),
        ("full width", "every-script", 0),
    ],
)
def test_identifiers_that_are_equal_as_token_ids_are_counted_as_collisions(kind, text_tokenizer, merged):
    model, catalogue = model_with(text_tokenizer), _catalogue(IDENTIFIERS[kind])
    extend(model, catalogue)
    found = health(meet_vocabulary(catalogue, model, largest_share=1.0))
    assert found["merged_items"] == merged
    assert found["colliding_items"] == 2 * merged


def test_more_merged_items_than_allowed_are_refused_by_name():
    catalogue = _catalogue(IDENTIFIERS["case"])
    with pytest.raises(GenrecError) as caught:
        meet_vocabulary(catalogue, model_with("lower-casing"), largest_share=0.3)
    assert caught.value.message == (
        "1 of 3 identifiers are equal to another item's once the model's text tokenizer has read them: "
        "`i1: red tent = Red tent`"
    )
    assert "model: {max_merged: 0.34}" in caught.value.hint
    assert meet_vocabulary(catalogue, model_with("lower-casing"), largest_share=0.34).merged == 1


def test_identifiers_with_unknown_characters_are_refused_with_counts_and_examples():
    with pytest.raises(GenrecError) as caught:
        meet_vocabulary(_catalogue(IDENTIFIERS["another script"]), model_with("t5-like"), largest_share=1.0)
    assert caught.value.message == (
        "the model's text tokenizer cannot write the identifiers of 2 of 3 items: `i0: мяч`, `i1: кот`"
    )
    assert "a model whose vocabulary has these characters" in caught.value.hint


def _titled(*titles):
    names = tuple(f"i{place}" for place in range(len(titles)))
    tokens = [f"<a_{place}>" for place in range(len(titles))]
    identifiers = Identifiers.of([(token,) for token in tokens], new_tokens=tokens)
    return Catalogue(Items(names, {"title": list(titles)}), identifiers)


def test_titles_that_a_constraint_cannot_tell_apart_are_refused_with_counts_and_examples():
    model, catalogue = model_with("t5-like"), _titled(*(f"мяч {chr(1072 + n)}" for n in range(12)), "lamp")
    extend(model, catalogue)
    decoder = Decoder(model, catalogue, DecoderSettings(beams=3))
    with pytest.raises(GenrecError) as caught:
        list(decoder.candidates([Sample((Text("red"),), answer_form="title")]))
    assert caught.value.message == (
        "the model's text tokenizer cannot write the answers in `title` of 12 of 13 items: "
        "`i0: мяч а`, `i1: мяч б`, `i2: мяч в`, …"
    )
    assert "a model whose vocabulary has these characters, or answer with identifiers" in caught.value.hint
    (answer,) = decoder.candidates([Sample((Text("red"),))])
    assert len(answer.beams) == 3, "titles that are shown and not asked for may hold anything"


def test_items_without_the_field_are_no_unreadable_answers():
    model, catalogue = model_with("t5-like"), _titled("red", "", "lamp")
    extend(model, catalogue)
    decoder = Decoder(model, catalogue, DecoderSettings(beams=3))
    (answer,) = decoder.candidates([Sample((Text("red"),), answer_form="title")])
    assert sorted(beam.items for beam in answer.beams) == [(0,), (2,)]


def test_training_that_is_validated_by_titles_says_before_it_begins_that_they_cannot_be_written():
    model, catalogue = model_with("t5-like"), _titled("мяч", "кот", "lamp", "red")
    extend(model, catalogue)
    rows = Sequences.of([[0, 1, 2, 3], [3, 2, 1, 0]])
    valid = View("valid", ("u",), Sequences.of([[0, 1]]), np.array([2], dtype=np.int32), max_history=9)
    training = Training(View("train", ("u", "v"), rows, None, max_history=9), valid)
    trainer = SFT(corpora=[NextItem(target="title")], select_by="ndcg@10")
    with pytest.raises(GenrecError, match="cannot write the answers in `title` of 2 of 4 items"):
        trainer.train({"main": model}, catalogue, training, Context())


def test_a_user_whom_the_vocabulary_cannot_write_is_refused():
    identifiers = Identifiers.of([("lamp",)], users={"u1": ("lamp",), "u2": ("кот",)})
    with pytest.raises(GenrecError, match="identifiers of 1 of 2 users: `u2`"):
        meet_vocabulary(_catalogue(identifiers), model_with("t5-like"), largest_share=1.0)


def test_the_renderer_refuses_identifiers_that_never_met_the_vocabulary():
    renderer = Renderer(model_with("lower-casing"), _catalogue(IDENTIFIERS["case"]))
    with pytest.raises(GenrecError, match="1 of 3 identifiers are equal to another item's"):
        renderer.answer_ids()


def test_a_text_that_two_identifiers_spell_is_not_read_as_the_last_of_them():
    with pytest.raises(ContractError) as caught:
        IDENTIFIERS["a separator inside a token"].parse("red tent")
    assert caught.value.message == (
        "1 identifiers are written like another one: `red tent: ('red', 'tent') and ('red tent',)`"
    )


def test_merging_keeps_the_first_identifier_and_everything_else():
    identifiers = Identifiers.of([("a",), ("b",), ("c", "d"), ("b",)], users={"u": ("a",)})
    met = merge_same(identifiers, ["x", "y", "x", "z"])
    assert [met.tokens(item) for item in range(4)] == [("a",), ("b",), ("a",), ("b",)]
    assert (met.merged, met.users, met.vocabulary) == (1, {"u": ("a",)}, ("a", "b"))
    assert merge_same(identifiers, ["w", "x", "y", "x"]) is identifiers
