"""What teachers write, and what is read out of it."""

from __future__ import annotations

import json

import pytest
from genrec_plugin_grlm.answer import Malformed, checked_terms, read_open_list, read_terms
from hypothesis import given
from hypothesis import strategies as st

THREE = ("tent", "red", "two-person")


@pytest.mark.parametrize(
    "answer",
    [
        "[tent, red, two person]",
        '["Tent", "Red", "Two Person"]',
        '{"terms": ["tent", "red", "two-person"]}',
        "```json\n[\n  'tent',\n  'red',\n  'two person'\n]\n```",
        "Here you are: [tent, red, two person].",
        "The format is [word1, word2]. So: [tent, red, two person]",
        "<think>Maybe [a, b, c]? No.</think>[tent, red, two person]",
        "a rope, a lamp, a mat</think>\n\n[tent, red, two person]",
        "tent, red, two person",
        "Words:\ntent, red, two person",
        "1. tent\n2. red\n3. two person",
        "- Tent\n- Red\n- Two person",
        " tent, red, two person] Item: rope Words: ",
        "**[tent, red, two person]**",
        "[“tent”, ‘red’, two   person.]",
    ],
)
def test_lists_of_many_kinds_are_read(answer):
    assert read_terms(answer, 3) == THREE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no list"),
        ("I cannot help with that", "no list"),
        ("<think>[a, b, c]", "no list"),
        ("[]", "number"),
        ("[tent, red]", "number"),
        ("[tent, red, two-person, blue]", "number"),
        ("[tent, , red]", "empty"),
        ("[tent, ..., red]", "empty"),
        ("[tent, red, tent]", "repeated"),
        ("[tent, red, Tent.]", "repeated"),
        ("[tent, red, it is made for two persons]", "long"),
        ("[tent, red, " + "x" * 41 + "]", "long"),
        ('{"terms": [["tent", "red", "blue"], "lamp"]', "number"),
    ],
)
def test_anything_else_is_malformed_for_a_reason(answer, reason):
    read = read_terms(answer, 3) if reason != "number" or "lamp" not in answer else read_terms(answer, 4)
    assert isinstance(read, Malformed)
    assert read.reason == reason
    assert read.answer == answer


@given(st.text(max_size=60), st.integers(1, 6))
def test_whatever_is_written_gives_exactly_as_many_terms_or_none(answer, count):
    read = read_terms(answer, count)
    if not isinstance(read, Malformed):
        assert len(read) == count == len(set(read))
        assert all(term and not any(sign.isspace() or sign == "," for sign in term) for term in read)


WORDS = st.text("abcdefghijk", min_size=1, max_size=8)


@given(st.lists(WORDS, min_size=3, max_size=3, unique=True))
def test_json_and_plain_lists_read_alike(words):
    assert read_terms(json.dumps(words), 3) == read_terms(f"[{', '.join(words)}]", 3) == tuple(words)


def test_given_terms_may_repeat():
    assert checked_terms(["red", "red"], 2, repeats=True) == ("red", "red")
    assert isinstance(checked_terms(["red", "red"], 2), Malformed)


@pytest.mark.parametrize(
    "answer",
    [
        "tent, red, two person] Item: rope",
        " tent, red, tent, , Tent, two person, blue, blue, blu",
        "Tent, Red,\nTwo person\n\nItem: rope, lamp",
    ],
)
def test_of_a_list_that_goes_on_the_first_different_words_count(answer):
    assert read_open_list(answer, 3) == THREE


@pytest.mark.parametrize("answer", ["", "tent, tent, tent, tent", "tent] red, blue, green"])
def test_a_list_that_goes_on_without_enough_different_words_is_malformed(answer):
    read = read_open_list(answer, 3)
    assert isinstance(read, Malformed)
    assert read.reason == "number"


@pytest.mark.parametrize(
    ("answer", "finished", "read"),
    [
        ("tent, red, two person", True, THREE),
        ("tent, red, two person, la", False, THREE),
        ("tent, red, two person] It", False, THREE),
        ("tent, red, two person\n\nItem: la", False, THREE),
        ("tent, red, two per", False, None),
    ],
)
def test_half_a_word_at_the_end_of_a_list_that_was_cut_off_is_no_term(answer, finished, read):
    found = read_open_list(answer, 3, finished=finished)
    assert found == read if read else found.reason == "number"
