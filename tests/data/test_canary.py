"""The canary is in the text of its items and nowhere else."""

from __future__ import annotations

from genrec_core import Items
from genrec_core.data.canary import found, with_canary

ITEMS = Items(
    ("a", "b", "c"), {"title": ["Tent", "Lamp", None], "tags": [["x"], None, ["y"]], "price": [1, 2, 3]}
)


def test_the_word_stands_in_every_text_field_of_the_targets_only() -> None:
    marked, word = with_canary(ITEMS, [0, 2])
    assert found(word, [marked.value(item, "title") for item in range(3)]) == [0, 2]
    assert found(word, [marked.value(item, "tags") for item in range(3)]) == [0, 2]
    assert marked.text(1) == ITEMS.text(1)
    assert marked.fields["price"] == [1, 2, 3]
    assert found(word, [ITEMS.text(item) for item in range(3)]) == []


def test_the_word_is_found_in_any_case() -> None:
    _, word = with_canary(ITEMS, [0])
    assert found(word, ["nothing", f"Buy {word.upper()}!"]) == [1]


def test_the_word_avoids_texts_that_hold_it_already() -> None:
    _, word = with_canary(ITEMS, [0])
    _, other = with_canary(Items(ITEMS.ids, {"title": [word, "", ""]}), [0])
    assert other != word
