"""sid/item-text: which items are asked about, in which view, and what happens where a text is missing."""

import numpy as np
import pytest
from genrec_plugin_sid.item_text import ItemText
from pydantic import ValidationError

from genrec_core import Catalogue, Context, DataError, Identifiers, ItemRef, Items, Sequences, Text, View
from genrec_core.testing.toy import toy_catalogue, toy_views

VIEWS = toy_views()


def samples(view=VIEWS.train, catalogue=None, log=None, **options):
    context = Context(log=log) if log else Context()
    return list(ItemText(**options).samples(view, catalogue or toy_catalogue(), context))


def without_text():
    """Three items, the second without a title, the third without a description."""
    fields = {"title": ["Tent", None, "Rope"], "description": ["Green.", "Bright.", ""]}
    return Catalogue(Items(("a", "b", "c"), fields), Identifiers.of([("1",), ("2",), ("3",)]))


def test_every_item_is_asked_about_once_in_catalogue_order():
    assert [sample.target for sample in samples()] == list(range(24))


@pytest.mark.parametrize(
    ("given", "answer"),
    [("title", "identifier"), ("identifier", "title"), ("description", "identifier"), ("tags", "title")],
)
def test_any_form_can_be_shown_and_any_other_learnt(given, answer):
    sample = samples(given=given, answer=answer)[5]
    assert sample.segments == (
        Text(f"The {given} of an item is: "),
        ItemRef(5, form=given),
        Text(f"\nIts {answer} is: "),
        ItemRef(5, form=answer, learn=True, turn="assistant"),
    )
    assert (sample.target, sample.answer_form, sample.task) == (5, answer, f"{given} to {answer}")


def test_wordings_are_ones_own_and_braces_can_be_written():
    (first, *_) = samples(wordings=["{{{item}}} >"], system="Be brief.")
    assert first.segments[:-1] == (
        Text("Be brief.", turn="system"),
        Text("{"),
        ItemRef(0, form="title"),
        Text("} >"),
    )


def test_of_several_wordings_each_item_always_gets_the_same():
    wordings = ["A {item}?", "B {item}?", "C {item}?"]
    told = [sample.segments[0].text for sample in samples(wordings=wordings)]
    assert set(told) == {"A ", "B ", "C "}
    other_seed = ItemText(wordings=wordings).samples(VIEWS.train, toy_catalogue(), Context(seed=99))
    assert [sample.segments[0].text for sample in other_seed] == told


@pytest.mark.parametrize("wording", ["no slot", "{item} and {item}", "{item} {title}", "{item", "{history}"])
def test_a_wording_that_cannot_be_filled_is_refused(wording):
    with pytest.raises(ValidationError, match="wordings"):
        ItemText(wordings=[wording])


def test_showing_what_is_to_be_learnt_is_refused():
    with pytest.raises(ValidationError, match="nothing to learn"):
        ItemText(given="title", answer="title")


def test_validation_asks_only_about_held_out_items_and_training_never():
    assert samples(VIEWS.valid) == []
    kept = [sample.target for sample in samples(held_out=0.3)]
    asked = [sample.target for sample in samples(VIEWS.valid, held_out=0.3)]
    assert sorted(kept + asked) == list(range(24))
    assert 2 <= len(asked) <= 14


def test_items_that_nobody_took_can_be_left_out():
    shown = set(VIEWS.train.rows.values.tolist())
    assert {sample.target for sample in samples(items="seen")} == shown
    row = View("train", ("u",), Sequences.of([[3, 7]]), None, 5)
    assert [sample.target for sample in samples(row, items="seen")] == [3, 7]
    held = View("valid", ("u",), Sequences.of([[3]]), np.array([7], np.int32), 5)
    asked = [sample.target for view in (row, held) for sample in samples(view, items="seen", held_out=0.5)]
    assert sorted(asked) == [3, 7]


def test_items_without_a_text_are_refused_with_count_and_examples():
    with pytest.raises(DataError, match="1 of 3 items have no `title` to write: `b`"):
        samples(catalogue=without_text())


def test_items_without_a_text_are_skipped_on_demand_and_counted():
    lines = []
    found = samples(
        catalogue=without_text(),
        missing="skip",
        given="description",
        answer="title",
        log=lambda event, **values: lines.append((event, values)),
    )
    assert [sample.target for sample in found] == [0]
    assert lines == [
        ("skipped", {"form": "description", "items": 1}),
        ("skipped", {"form": "title", "items": 1}),
    ]


def test_a_field_that_no_item_has_is_refused_even_when_skipping():
    with pytest.raises(DataError, match="no field `colour`"):
        samples(given="colour", missing="skip")
    nameless = Catalogue(Items(("a",), {"title": [""]}), Identifiers.of([("1",)]))
    with pytest.raises(DataError, match="1 of 1 items have no `title`"):
        samples(catalogue=nameless, missing="skip")
