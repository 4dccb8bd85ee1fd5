"""Identifiers that a small T5 writes: unique, not empty, the same again, and named by what was taught."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.tags import drawn_tags, item_tags, tag_fields
from genrec_plugin_idgenrec.textual import Textual
from genrec_plugin_idgenrec.writing import Writing, writing_of

from genrec_core import Catalogue, Context, GenrecError, Identifiers, Items
from genrec_core.engine import Decoder, DecoderSettings, Model


def texts(identifiers):
    return [identifiers.text(item) for item in range(len(identifiers))]


def test_items_with_the_same_text_get_different_identifiers_and_none_is_empty(named, items):
    # IDGenRec check 2.
    found = texts(named.identifiers)
    assert items.text(22) == items.text(23)
    assert found[22] != found[23]
    assert all(found)
    read = [tuple(ids) for ids in named.model.tokenise(found)]
    assert len(set(read)) == len(items)
    again = [named.model.text_tokenizer.decode(list(ids)) for ids in read]
    assert [tuple(ids) for ids in named.model.tokenise(again)] == read


def test_it_is_the_same_again(named, items, seq2seq):
    again = Generator(named.model, items, writing_of(named.identifiers))
    assert list(again.name_all(range(24), Context()).texts) == texts(named.identifiers)


def test_one_item_at_a_time_gives_the_same_map(named, items):
    generator = Generator(named.model, items, writing_of(named.identifiers))
    alone = generator.name_all(range(24), Context(), at_once=1)
    assert list(alone.texts) == texts(named.identifiers)


def test_a_taught_generator_writes_the_telling_words(named, items):
    found = texts(named.identifiers)
    own = sum(
        set(name.split()) <= set(items.text(item, ("title", "brand")).lower().replace(".", "").split())
        for item, name in enumerate(found)
    )
    assert own >= 20, found
    assert found[0] == "red tent alder"


def test_windows_bound_what_is_written(named, items):
    generator = Generator(named.model, items, Writing(window=4))
    for number, (least, most) in {0: (1, 3), 10: (4, 7), 20: (8, 11)}.items():
        lengths = [len(text.key) for row in generator.write([0, 5, 9], number) for text in row]
        # Cleaning may drop a token or split one, so bounds hold for what is written, not to the letter here.
        assert least - 2 <= np.mean(lengths) <= most + 2


def test_settings_travel_with_the_identifiers(named):
    assert writing_of(named.identifiers) == Writing()
    assert writing_of(Identifiers.of([("a",)])) == Writing()
    own = Writing(fields=("title",), groups=3, clean="spaces")
    assert writing_of(Identifiers.of([("a",)], settings=own.kept())) == own


def test_new_items_are_named_around_the_old_ones(named, items, seq2seq):
    twice = items.subset(range(4))
    context = Context(models={"generator": named.model})
    grown = Textual(generator=seq2seq).extend(named.identifiers, twice, context)
    assert texts(grown)[:24] == texts(named.identifiers)
    assert len(set(texts(grown))) == 28
    with pytest.raises(GenrecError, match="names new items with the model in the slot `generator`"):
        Textual(generator=seq2seq).extend(named.identifiers, twice, Context())


def test_given_identifiers_are_kept_and_the_others_written(items, seq2seq, taught):
    titles = ["Red tent!", "Red tent?", "", *(f"thing {n}" for n in range(21))]
    shop = Items(items.ids, {**items.fields, "title": titles})
    tokenizer = Textual(generator=seq2seq, identifiers="given", given="title", teach=taught, extensions=9)
    found = texts(tokenizer.fit(shop, None, Context(seed=1)).identifiers)
    assert found[0] == "Red tent"
    assert found[3:] == titles[3:]
    assert found[1] not in ("", "Red tent")
    assert found[2]
    assert len(set(found)) == 24
    with pytest.raises(ValueError, match="`identifiers: given` and `given: FIELD` go together"):
        Textual(generator=seq2seq, identifiers="given")


def test_tags_are_the_telling_words_in_reading_order():
    titles = ["Red folding tent", "Blue folding tent", "Red lamp", "Oil lamp xq7"]
    shop = Items(tuple("abcd"), {"title": titles})
    found = item_tags(shop, tag_fields(shop), 2, lambda text: True)
    # Each of red, folding, tent and lamp is in two titles; words of one title alone weigh nothing.
    assert found == ["red folding", "folding tent", "red lamp", "oil lamp"]
    assert item_tags(shop, ("title",), 3, lambda text: " " not in text)[0] == "red"
    assert tag_fields(Items(("a",), {"note": ["x"]})) == ("note",)


def test_drawn_tags_are_any_words_of_the_item():
    titles = ["Red folding tent red", "Lamp", ""]
    shop, draws = Items(tuple("abc"), {"title": titles}), np.random.default_rng(5)
    drawn = [drawn_tags(shop, ("title",), 2, lambda text: True, draws) for _ in range(200)]
    assert {tags[0] for tags in drawn} == {
        *("red folding", "folding red", "red tent", "tent red", "folding tent", "tent folding")
    }
    assert {tuple(tags[1:]) for tags in drawn} == {("lamp", "")}
    short = drawn_tags(shop, ("title",), 3, lambda text: " " not in text, np.random.default_rng(5))
    assert short[0] in ("red", "folding", "tent")


def test_a_generator_is_taught_every_draw(items, seq2seq, monkeypatch):
    from genrec_plugin_idgenrec import teaching

    taught = []

    def teach(generator, settings, context):
        for sample in teaching.Tagging(generator).samples(None, generator.catalogue, context):
            answer = sample.segments[-1]
            taught.append((answer.item, generator.catalogue.items.value(answer.item, answer.form)))

    monkeypatch.setattr(teaching, "teach", teach)
    shop = items.subset(range(4))
    tokenizer = Textual(generator=seq2seq, tag_words="drawn", tag_draws=5, tags=2, extensions=9)
    tokenizer.fit(shop, None, Context(seed=1))
    assert len(taught) == 20
    assert len({text for item, text in taught if item == 0}) > 1
    for item, text in taught:
        own = shop.text(item, ("title", "brand")).lower().split()
        assert set(text.split()) <= {word.strip(".,") for word in own}


def test_metadata_is_one_line_of_named_fields_and_is_cut_to_fit(named, items):
    assert Writing().metadata(items, 0) == (
        "title: Red tent; brand: Alder; description: A red tent, good for walks."
    )
    assert Writing(fields=("brand", "title")).metadata(items, 0) == "brand: Alder; title: Red tent"
    short = Generator(named.model, items, Writing(text_tokens=24))
    assert all(len(short.prompt(item)) <= 24 for item in range(24))
    with pytest.raises(GenrecError, match="`text_tokens: 8` leaves no room"):
        Generator(named.model, items, Writing(text_tokens=8, behind="a rather long question about it: "))


def test_a_decoder_only_generator_writes_too(items, shape):
    from genrec_core.builtin.tiny_backbones import TinyCausal

    backbone = TinyCausal(**shape)
    model = backbone.build(Catalogue(items, Identifiers.of([("-",)] * 24)), Context(seed=2))
    assert Model.of(model).family == "causal"
    named = Generator(model, items, Writing(extensions=9)).name_all(range(6), Context())
    assert len(set(named.texts)) == 6


def test_identifiers_may_begin_like_others(seq2seq):
    # IDGenRec check 6: after "a b" either its end or c may follow.
    items = Items(("x", "y"), {"title": ["a b", "a b c"]})
    catalogue = Catalogue(items, Identifiers.of([("a", "b"), ("a", "b", "c")], separator=" "))
    model = Model.of(seq2seq.build(catalogue, Context()))
    trie = Decoder(model, catalogue, DecoderSettings(beams=2)).constraint().trie
    (shorter, longer) = model.tokenise(["a b", "a b c"])
    assert longer[: len(shorter)] == shorter
    node = trie.descend(shorter)
    assert set(trie.legal(node).tolist()) == {longer[len(shorter)], model.end_id}


def test_profiles_read_a_history_and_nothing_else(named, items):
    generator = Generator(named.model, items, Writing())
    written = copy.deepcopy(generator.profiles([(0, 1), (1, 0), (), (0, 1)]))
    assert written[0] == written[3] != ""
    assert written[2] == ""
