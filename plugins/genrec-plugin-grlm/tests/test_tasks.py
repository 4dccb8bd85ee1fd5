"""Training tasks: what is given, what is learnt, and that recommending reads what training wrote."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from genrec_plugin_grlm.gti import GTI
from genrec_plugin_grlm.similar_items import SimilarItems
from genrec_plugin_grlm.ubsp import UBSP
from genrec_plugin_sid.next_item_text import NextItemText

from genrec_core import (
    Catalogue,
    Context,
    DataError,
    Identifiers,
    Items,
    Request,
    Sequences,
    View,
)
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.engine import Renderer

TERMS = [
    ("tent", "dome"),
    ("lamp", "gas"),
    ("rope", "long"),
    ("axe", "steel"),
    ("mug", "tin"),
    ("map", "old"),
]
TITLES = ["Dome tent", "Gas lamp", "Long rope", "Steel axe", "Tin mug", "Old map"]
USER = (0, 1, 2, 3, 4, 5)
"""i1 … i6 of the sheet's check 3: i5 is the validation item, i6 the test item."""


@pytest.fixture(scope="module")
def catalogue():
    notes = [f"{title} for trips." for title in TITLES]
    items = Items(tuple("abcdef"), {"title": TITLES, "description": notes, "brand": ["", *["x"] * 5]})
    return Catalogue(items, Identifiers.of(TERMS, separator=", "))


@pytest.fixture
def model(catalogue):
    shape = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 300}
    return TinyCausal(**shape, device="cpu").build(catalogue, Context())


TRAIN = View("train", ("u",), Sequences.of([USER[:4]]), None, 20)
VALID = View("valid", ("u",), Sequences.of([USER[:4]]), np.array([4], dtype=np.int32), 20)
ASKED = Request("u", USER[:5])


def shown(model, catalogue, sample):
    """A rendered sample with learnt runs in brackets."""
    rendered = Renderer(model, catalogue).rendered(sample)
    runs = itertools.groupby(zip(rendered.ids, rendered.learn, strict=True), key=lambda pair: pair[1])
    texts = ((learnt, model.text_tokenizer.decode([token for token, _ in run])) for learnt, run in runs)
    return "".join(f"[{text}]" if learnt else text for learnt, text in texts)


def samples(corpus, view, catalogue):
    return list(corpus.samples(view, catalogue, Context()))


PLAIN = {"instruction": "> ", "between": "=", "separator": ";"}


def test_the_first_item_is_given_and_every_later_one_learnt_with_its_title(model, catalogue):
    """Check 3."""
    (sample,) = samples(UBSP(**PLAIN), TRAIN, catalogue)
    assert shown(model, catalogue, sample) == (
        "> tent, dome=Dome tent;[lamp, gas=Gas lamp];[rope, long=Long rope];[axe, steel=Steel axe<|end|>]"
    )


def test_the_prompt_ends_behind_the_newest_item_and_says_what_closes_an_answer(model, catalogue):
    sample = UBSP(**PLAIN).prompt(ASKED, catalogue, Context())
    assert shown(model, catalogue, sample) == "> " + "".join(
        f"{', '.join(TERMS[n])}={TITLES[n]};" for n in range(5)
    )
    assert (sample.stop_text, sample.answer_form) == ("=", "identifier")


def test_next_item_prediction_gives_a_sample_a_target(model, catalogue):
    found = samples(UBSP(each="prefix", **PLAIN), TRAIN, catalogue)
    assert [sample.target for sample in found] == [1, 2, 3]
    last = shown(model, catalogue, found[-1])
    assert (
        last == "> tent, dome=Dome tent;lamp, gas=Gas lamp;rope, long=Long rope;[axe, steel=Steel axe<|end|>]"
    )


def test_without_titles_terms_and_their_end_are_all_there_is(model, catalogue):
    alone = {"instruction": "> ", "title": None, "between": ";", "separator": ""}
    (sample,) = samples(UBSP(**alone), TRAIN, catalogue)
    assert shown(model, catalogue, sample) == "> tent, dome;[lamp, gas;rope, long;axe, steel;]"
    *_, last = samples(UBSP(each="prefix", **alone), TRAIN, catalogue)
    assert shown(model, catalogue, last) == "> tent, dome;lamp, gas;rope, long;[axe, steel;]"
    asked = UBSP(**alone).prompt(ASKED, catalogue, Context())
    assert shown(model, catalogue, asked) == "> " + "".join(f"{', '.join(TERMS[n])};" for n in range(5))


def test_items_with_titles_need_a_separator():
    with pytest.raises(ValueError, match="separator"):
        UBSP(separator="")


@pytest.mark.parametrize("each", ["user", "prefix"])
def test_validation_learns_the_target_s_terms_and_where_they_end(model, catalogue, each):
    (sample,) = samples(UBSP(each=each, **PLAIN), VALID, catalogue)
    assert shown(model, catalogue, sample).endswith("axe, steel=Steel axe;[mug, tin=]")


@pytest.mark.parametrize("each", ["user", "prefix"])
@pytest.mark.parametrize("chat", [False, True])
def test_recommending_reads_what_training_wrote(model, catalogue, each, chat):
    """The repository trains on the history as an answer and recommends with it as a question."""
    if chat:
        model.chat = True
        model.text_tokenizer.chat_template = (
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
        )
    corpus, renderer = UBSP(each=each), Renderer(model, catalogue)
    prompt = renderer.prompt(corpus.prompt(Request("u", USER[:3]), catalogue, Context()))
    (*_, last) = samples(corpus, TRAIN, catalogue)
    assert renderer.rendered(last).ids[: len(prompt)] == prompt


def test_a_long_sequence_is_cut_into_windows_that_share_an_item(catalogue):
    view = View("train", ("u",), Sequences.of([USER]), None, 2)
    windows = [sample.segments[-1].items for sample in samples(UBSP(), view, catalogue)]
    assert windows == [(0, 1), (1, 2, 3), (3, 4, 5)]


def test_items_without_a_title_are_refused_or_written_by_their_terms(model, catalogue):
    with pytest.raises(DataError, match="no `brand`"):
        samples(UBSP(title="brand"), TRAIN, catalogue)
    (sample,) = samples(UBSP(title="brand", missing="skip", **PLAIN), TRAIN, catalogue)
    assert shown(model, catalogue, sample).startswith("> tent, dome=;[lamp, gas=x];")


def test_metadata_to_terms_shows_the_item_alone(model, catalogue):
    found = samples(GTI(fields=("title", "description", "brand"), instruction="? "), TRAIN, catalogue)
    assert len(found) == 6
    assert shown(model, catalogue, found[0]) == (
        "? title: Dome tent\ndescription: Dome tent for trips.\nterms: [tent, dome<|end|>]"
    )
    assert "brand: x\n" in shown(model, catalogue, found[1])
    assert samples(GTI(), VALID, catalogue) == []


def test_terms_to_metadata_is_the_other_way_round(model, catalogue):
    found = samples(GTI(direction="to-metadata", fields=("title", "brand"), instruction=""), TRAIN, catalogue)
    assert shown(model, catalogue, found[1]) == "terms: lamp, gas\ntitle: [Gas lamp\nbrand: x<|end|>]"
    assert shown(model, catalogue, found[0]) == "terms: tent, dome\ntitle: [Dome tent<|end|>]"


def test_unseen_items_can_be_left_out_and_empty_ones_are_refused(catalogue):
    assert [s.target for s in samples(GTI(items="seen"), TRAIN, catalogue)] == [0, 1, 2, 3]
    with pytest.raises(DataError, match="1 of 6 items have no `brand`: `a`"):
        samples(GTI(fields=("brand",)), TRAIN, catalogue)
    assert len(samples(GTI(fields=("brand",), missing="skip"), TRAIN, catalogue)) == 5


def test_similar_items_are_those_that_training_shows_together(model, catalogue):
    view = View("train", ("u", "v", "w"), Sequences.of([(0, 1, 2), (0, 1), (3, 2)]), None, 20)
    found = samples(SimilarItems(count=2, instruction="", separator=";"), view, catalogue)
    assert [sample.segments[0].item for sample in found] == [0, 1, 2, 3]
    assert shown(model, catalogue, found[0]) == "tent, dome;[lamp, gas;rope, long<|end|>]"
    assert samples(SimilarItems(), VALID, catalogue) == []


def test_cross_asks_for_terms_or_titles_in_turn(model, catalogue):
    """CROSS of table 9, as in LC-Rec: one of the two for each target, drawn by the seed."""
    corpus = NextItemText(
        directions=("identifier -> identifier", "identifier -> title"), draw="one", separator="; "
    )
    view = View("train", ("u",) * 20, Sequences.of([USER[:4]] * 20), None, 20)
    asked = [sample.answer_form for sample in samples(corpus, view, catalogue)]
    assert len(asked) == 60
    assert {"identifier", "title"} == set(asked)
