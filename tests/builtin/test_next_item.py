"""core/next-item: which samples a view gives, and what they say."""

import numpy as np
import pytest

from genrec_core.builtin.next_item import NextItem
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.samples import History, ItemRef, Text
from genrec_core.contracts.views import Request, View

CATALOGUE = Catalogue(Items(tuple("abcdefgh"), {}), Identifiers.of([(letter,) for letter in "abcdefgh"]))
TRAIN = View("train", ("u", "v"), Sequences.of([[0, 1, 2, 3, 4], [5, 6]]), None, max_history=2)
VALID = View("valid", ("u",), Sequences.of([[0, 1, 2, 3, 4]]), np.array([7], dtype=np.int32), max_history=2)


def read(sample):
    """(history, target, learnt inside the history) of a sample."""
    history = next(part for part in sample.segments if isinstance(part, History))
    return history.items, sample.target, history.learn


def samples(view=TRAIN, **options):
    return [read(sample) for sample in NextItem(**options).samples(view, CATALOGUE, Context())]


def test_prefixes_give_one_sample_for_every_item_after_the_first_with_the_newest_history():
    assert samples() == [
        ((0,), 1, False),
        ((0, 1), 2, False),
        ((1, 2), 3, False),
        ((2, 3), 4, False),
        ((5,), 6, False),
    ]


def test_most_samples_of_a_user_are_the_newest():
    assert samples(max_per_user=2) == [((1, 2), 3, False), ((2, 3), 4, False), ((5,), 6, False)]


def test_users_give_windows_that_learn_every_item_after_the_first_once():
    """GRLM check 3: one sample where prefixes give several."""
    assert samples(each="user") == [((0, 1, 2), 2, True), ((2, 3, 4), 4, True), ((5, 6), 6, True)]
    assert samples(each="user", max_per_user=1) == [((2, 3, 4), 4, True), ((5, 6), 6, True)]


@pytest.mark.parametrize("each", ["prefix", "user"])
def test_validation_rows_give_their_one_target(each):
    assert samples(VALID, each=each) == [((3, 4), 7, False)]


@pytest.mark.parametrize("each", ["prefix", "user"])
def test_the_prompt_is_the_training_sample_without_its_answer(each):
    corpus = NextItem(each=each, instruction="Next:", separator=";", history="title", target="title")
    (sample,) = corpus.samples(VALID, CATALOGUE, Context())
    prompt = corpus.prompt(Request("u", (3, 4)), CATALOGUE, Context())
    assert prompt.segments == sample.segments[:-1]
    assert isinstance(sample.segments[-1], ItemRef)
    assert sample.segments[-1].learn
    assert (prompt.target, prompt.answer_form, sample.answer_form) == (None, "title", "title")


def test_a_user_without_history_is_asked_with_the_instruction_alone():
    assert NextItem().prompt(Request("u", ()), CATALOGUE, Context()).segments == ()
    assert NextItem(instruction="Next:").prompt(Request("u", ()), CATALOGUE, Context()).segments == (
        Text("Next:"),
    )


def test_histories_belong_to_the_user_unless_they_are_learnt():
    for each, turn in (("prefix", "user"), ("user", "assistant")):
        segments = NextItem(each=each).prompt(Request("u", (1,)), CATALOGUE, Context()).segments
        assert {segment.turn for segment in segments} == {turn}


def test_identifiers_may_stand_side_by_side_and_texts_may_not():
    sample = next(NextItem(separator="").samples(VALID, CATALOGUE, Context()))
    assert [part.text for part in sample.segments if isinstance(part, Text)] == [""]
    with pytest.raises(ValueError, match="`title` of one item would run into that of the next"):
        NextItem(separator="", history="title")
