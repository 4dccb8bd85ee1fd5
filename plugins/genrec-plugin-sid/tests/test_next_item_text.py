"""sid/next-item-text: directions, draws, and prompts that stay the same in every stage."""

from collections import Counter
from dataclasses import replace

import pytest
from genrec_plugin_sid.item_text import ItemText
from genrec_plugin_sid.next_item_text import NextItemText
from pydantic import ValidationError

from genrec_core import Catalogue, Context, DataError, History, Identifiers, ItemRef, Items, Request, Text
from genrec_core.testing.toy import toy_catalogue, toy_views

VIEWS = toy_views()
FOUR = {
    "next identifier from identifier",
    "next identifier from title",
    "next title from identifier",
    "next title from title",
}


def samples(view=VIEWS.train, catalogue=None, seed=0, **options):
    corpus = NextItemText(**options)
    return list(corpus.samples(view, catalogue or toy_catalogue(), Context(seed=seed)))


def test_every_example_is_written_in_all_four_directions():
    found = samples()
    assert len(found) == 4 * len(VIEWS.train)
    assert {sample.task for sample in found[:4]} == FOUR
    assert {sample.target for sample in found[:4]} == {next(VIEWS.train.examples()).target}


def test_a_direction_says_how_history_and_answer_are_written():
    example = list(VIEWS.train.examples())[2]
    (found, *_) = [s for s in samples(directions=["title -> tags"]) if s.target == example.target]
    assert found.segments == (
        Text("Chosen so far, oldest first: "),
        History(example.history, form="title", separator="; "),
        Text("\nThe tags of the next item is: "),
        ItemRef(example.target, form="tags", learn=True, turn="assistant"),
    )
    assert found.answer_form == "tags"


def test_drawing_one_direction_an_example_costs_one_task_and_meets_all_directions():
    found = samples(draw="one")
    assert [sample.target for sample in found] == [example.target for example in VIEWS.train.examples()]
    assert set(Counter(sample.task for sample in found)) == FOUR
    assert samples(draw="one") == found
    assert samples(draw="one", seed=1) != found


def test_validation_rows_give_the_direction_to_recommend_by_alone():
    found = samples(VIEWS.valid, directions=["title -> identifier", "title -> title"])
    assert {sample.task for sample in found} == {"next identifier from title"}
    assert len(found) == len(VIEWS.valid)


def test_most_examples_of_a_user_are_the_newest():
    one = samples(max_per_user=1, directions=["identifier -> identifier"])
    newest = [int(sequence[-1]) for _, sequence in VIEWS.train.sequences()]
    assert [sample.target for sample in one] == newest


def catalogue_without_a_title():
    identifiers = Identifiers.of([(letter,) for letter in "abc"])
    return Catalogue(Items(("a", "b", "c"), {"title": ["Tent", "", "Rope"]}), identifiers)


def test_items_without_a_title_are_refused_in_samples_and_prompts():
    with pytest.raises(DataError, match="1 of 3 items have no `title`"):
        samples(catalogue=catalogue_without_a_title())
    corpus = NextItemText(directions=["title -> identifier"])
    with pytest.raises(DataError, match="`b`"):
        corpus.prompt(Request("u", (0, 1)), catalogue_without_a_title(), Context())


def test_items_without_a_title_are_left_out_of_histories_on_demand():
    corpus = NextItemText(directions=["title -> identifier"], missing="skip")
    prompt = corpus.prompt(Request("u", (0, 1, 2)), catalogue_without_a_title(), Context())
    assert [part.items for part in prompt.segments if isinstance(part, History)] == [(0, 2)]


@pytest.mark.parametrize(
    "directions", [[], ["title"], ["title->identifier"], ["title -> title", "title -> title"]]
)
def test_directions_that_say_nothing_are_refused(directions):
    with pytest.raises(ValidationError, match="directions"):
        NextItemText(directions=directions)


def tiny_chat_model(catalogue):
    """A tiny model with a chat template."""
    from genrec_core.builtin.tiny_backbones import TinyCausal

    shape = {"hidden": 16, "layers": 1, "heads": 2, "intermediate": 16, "vocabulary": 300}
    model = TinyCausal(**shape, device="cpu").build(catalogue, Context())
    model.text_tokenizer.chat_template = (
        "{% for message in messages %}[{{ message.role }}]{{ message.content }}\n{% endfor %}"
    )
    return model


@pytest.mark.parametrize("chat", [False, True])
def test_what_training_learns_behind_is_what_is_asked_later_id_for_id(chat):
    """Fine-tuning reads the sample, reinforcement learning its prompt, recommending the corpus' prompt."""
    from genrec_core.engine import Renderer

    catalogue = toy_catalogue()
    model = tiny_chat_model(catalogue)
    model.chat = chat
    renderer = Renderer(model, catalogue)
    wordings = ["{history} → {answer}", "After {history} comes the {answer} "]
    corpus = NextItemText(wordings=wordings, system="You sell things.")
    valid = list(corpus.samples(VIEWS.valid, catalogue, Context()))
    for request, sample in zip(VIEWS.valid.requests(), valid, strict=True):
        rendered = renderer.rendered(sample)
        asked = renderer.prompt(corpus.prompt(request, catalogue, Context()))
        assert rendered.ids[: rendered.prompt_length] == renderer.prompt(sample) == asked
    every = [
        *corpus.samples(VIEWS.train, catalogue, Context()),
        *ItemText().samples(VIEWS.train, catalogue, Context()),
    ]
    for sample in every[:200]:
        unanswered = replace(sample, segments=sample.segments[:-1])
        assert renderer.prompt(sample) == renderer.prompt(unanswered)
        assert (sample.target, bool(sample.answer_form)) != (None, False)
