"""What the doctor says of identifiers in plain words, by hand."""

import pytest

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.identifiers.diagnosis.diagnosis import IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.words import word_use


def test_words_are_counted_against_other_items_and_the_own_text():
    names = [("red", "tent"), ("red", "lamp"), ("blue", "xyz", "tent")]
    texts = ["Red folding tent", "Oil lamp, red", "A blue tent"]
    found = word_use(Identifiers.of(names, separator=" "), texts)
    assert found.distinct == 5
    assert found.mean == pytest.approx(7 / 3)
    # red and tent are shared; lamp, blue and xyz are not.
    assert found.shared == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert (found.first, found.most_on_first) == (2, pytest.approx(2 / 3))
    # Behind red stand tent and lamp, for two items; behind blue stands xyz alone.
    assert found.fan_out == pytest.approx((2 + 2 + 1) / 3)
    assert found.own == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert found.kept == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3)


def test_codes_say_nothing_and_neither_do_items_without_text():
    codes = Identifiers.of([("<a_1>",), ("<a_2>",)], new_tokens=("<a_1>", "<a_2>"))
    assert word_use(codes, ["red tent", "blue tent"]) is None
    assert word_use(Identifiers.of([("<a_1>",), ("<a_2>",)]), ["red tent", "blue tent"]) is None
    assert word_use(Identifiers.of([("red",)], separator=" "), [""]) is None


def test_the_doctor_finds_them():
    items = Items(("a", "b"), {"title": ["Red tent", "Blue tent"]})
    words = Identifiers.of([("red", "tent"), ("blue", "tent")], separator=" ")
    found = examine(IdentifierInputs(words, items))
    assert found.words.kept == 1
    assert found.plain()["words"]["first"] == 2
