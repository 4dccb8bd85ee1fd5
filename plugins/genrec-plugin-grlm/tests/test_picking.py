"""Terms by counting: shared words first, distinguishing ones last, nothing borrowed in silence."""

from __future__ import annotations

import pytest
from genrec_plugin_grlm.extractive import Extractive
from genrec_plugin_grlm.picking import pick
from genrec_plugin_grlm.prompt import TermQuestions, shown_in
from genrec_plugin_grlm.wordbook import Wordbook

from genrec_core import Context, DataError, Items, Message, StageError

SCARVES = [["Red silk scarf with dots"], ["Blue silk scarf"], ["Green silk scarf"], ["Cotton towel, striped"]]


def test_shared_words_come_first_and_distinguishing_ones_last():
    book, bags = Wordbook.of(SCARVES)
    picked = pick(bags[0], [bags[1], bags[2]], book, 4, distinguishing=2)
    assert set(picked.terms[:2]) == {"silk", "scarf"}
    assert set(picked.terms[2:]) == {"red", "dots"}
    assert (picked.borrowed, picked.distinguishing) == (0, 2)


def test_at_least_two_terms_are_words_that_no_neighbour_says():
    """Although the neighbours share enough words to fill every place."""
    texts = [[f"alpha beta gamma delta epsilon own{n} sole{n}"] for n in "abcd"]
    book, bags = Wordbook.of(texts)
    picked = pick(bags[0], bags[1:], book, 5, distinguishing=2)
    assert {"owna", "solea"} <= set(picked.terms)
    assert picked.distinguishing == 2


def test_without_neighbours_an_item_gets_its_rarest_words():
    texts = [["lamp kettle rare"], ["lamp kettle"], ["lamp kettle"], ["lamp"]]
    book, bags = Wordbook.of(texts)
    assert set(pick(bags[0], [], book, 2, distinguishing=2).terms) == {"kettle", "rare"}


def test_what_an_item_does_not_say_is_borrowed_from_its_neighbours_and_counted():
    texts = [["Kolor"], ["Kolor lipstick"], ["Kolor lipstick matte"], ["towel"], ["towel"], ["towel"]]
    book, bags = Wordbook.of(texts)
    picked = pick(bags[0], [bags[1], bags[2]], book, 3, distinguishing=1)
    assert set(picked.terms) == {"kolor", "lipstick", "matte"}
    assert picked.borrowed == 2


def test_a_catalogue_with_too_few_words_is_refused():
    book, bags = Wordbook.of([["red"], ["blue"]])
    with pytest.raises(DataError, match="needs `5` terms, the whole catalogue has 2 words"):
        pick(bags[0], [], book, 5, distinguishing=2)


def test_a_plural_counts_as_its_singular_only_where_that_is_a_word_here():
    book, bags = Wordbook.of([["tents berries boxes glass scissors"], ["tent berry box"]])
    assert sorted(bags[0]) == ["berry", "box", "glass", "scissors", "tent"]
    assert book.frequency["tent"] == 2


def test_words_without_meaning_are_left_out_and_numbers_weigh_little():
    book, bags = Wordbook.of([["The lamp is made with 300 lm"], ["a rope"]])
    assert sorted(bags[0]) == ["300", "lamp", "lm"]
    assert book.weight("lamp") > book.weight("300") > 0


def test_a_word_book_survives_being_kept():
    book, _ = Wordbook.of(SCARVES)
    arrays, words = book.kept()
    again = Wordbook.of_kept(arrays, words)
    assert (again.items, dict(again.frequency)) == (book.items, dict(book.frequency))
    assert again.bags([["Two red scarves"]]) == book.bags([["Two red scarves"]])


def test_the_extractor_answers_a_chat_like_a_model():
    items = Items(tuple("abcd"), {"title": [text[0] for text in SCARVES]})
    chat = TermQuestions(items, ("title",), 4, (600, 150)).question(0, [1, 2])
    (answer,) = Extractive().complete([chat], Context())
    assert answer == "[scarf, silk, dots, red]"


def test_what_a_question_shows_can_be_read_back():
    fields = {"title": ["1. Tent: red", "Rope", "Lamp"], "tags": [["a: b", "c"], [], ["d"]]}
    asker = TermQuestions(Items(tuple("abc"), fields), ("title", "tags"), 7, (600, 3))
    shown = shown_in(asker.question(0, [1, 2]))
    assert (shown.item, shown.neighbours) == (["1. Tent: red", "a: b, c"], [["Rop"], ["Lam", "d"]])
    assert shown.count == 7
    alone = shown_in(asker.question(2, []))
    assert (alone.item, alone.neighbours) == (["Lamp", "d"], [])


def test_the_extractor_refuses_other_chats():
    with pytest.raises(StageError, match="is no language model"):
        Extractive().complete([(Message("user", "What is love?"),)], Context())
