"""Worked examples of context-aware term generation (GRLM §3.1), and traps that its repository fell into."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml
from genrec_plugin_grlm.answer import Malformed, read_open_list, read_terms
from genrec_plugin_grlm.extractive import Extractive
from genrec_plugin_grlm.neighbours import nearest_items
from genrec_plugin_grlm.prompt import TermQuestions
from genrec_plugin_grlm.terms import TermIDs
from pydantic import ValidationError

from genrec_core import Context, Items, Message, Teacher
from genrec_core.builtin.ngrams import NGrams

NEEDS_HNSWLIB = pytest.mark.skipif(
    find_spec("hnswlib") is None, reason="hnswlib is not installed; it needs a C++ compiler"
)
GRAPH = pytest.param(0, id="graph", marks=NEEDS_HNSWLIB)
EXACT = pytest.param(100, id="exact")


class StubTeacher(Teacher):
    """Stands where a model would; it is never asked."""

    def complete(self, chats, context):
        raise AssertionError


def at(*degrees):
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.mark.parametrize("exact_below", [GRAPH, EXACT])
def test_the_nearest_neighbour_is_not_thrown_away_with_the_item_itself(exact_below):
    assert nearest_items(at(0, 20, 90), 1, exact_below, Context()).nearest.tolist() == [[1], [0], [1]]


@pytest.mark.parametrize("exact_below", [GRAPH, EXACT])
def test_copies_are_neighbours_of_one_another_and_no_item_is_its_own(exact_below):
    found = nearest_items(at(50, 50, 50, 130, 131), 2, exact_below, Context()).nearest
    assert found.tolist() == [[1, 2], [0, 2], [0, 1], [4, 0], [3, 0]]


def test_a_question_holds_the_description_of_the_item_and_that_of_its_neighbour():
    """The repository's code overwrote the first with the second where that was short."""
    items = Items(("a", "b"), {"title": ["Tent", "Rope"], "description": ["D0", "short"]})
    question = TermQuestions(items, ("title", "description"), 5, (600, 150)).question(0, [1])[0].text
    assert "description: D0" in question
    assert "description: short" in question
    assert question.index("D0") < question.index("SIMILAR") < question.index("short")


@pytest.mark.parametrize("count", [5, 7, 10])
def test_the_seven_guidelines_are_asked_for(count):
    items = Items(("a", "b"), {"title": ["Tent", "Rope"]})
    question = TermQuestions(items, ("title",), count, (600, 150)).question(0, [1])[0].text
    assert [line[0] for line in question.splitlines() if line[:2] in {f"{n}." for n in range(1, 8)}][:7] == [
        *"1234567"
    ]
    assert f"exactly {count} words" in question


def test_a_list_is_read_whatever_its_quotes_and_capitals():
    assert read_terms('[A b, "C", d, e, f]', 5) == ("a-b", "c", "d", "e", "f")


def test_four_terms_are_malformed_and_never_padded():
    read = read_terms("[a, b, c, d]", 5)
    assert isinstance(read, Malformed)
    assert (read.reason, read.explanation) == ("number", "it has 4 words, not 5")


def paper_wording():
    """The question in `paper.yaml`."""
    return yaml.safe_load((Path(__file__).parents[1] / "paper.yaml").read_text())["tokenizer"]["wording"]


def test_the_question_of_the_paper_shows_values_where_figure_five_does():
    items = Items(
        ("a", "b", "c"), {"title": ["Tent", "Rope", "Mat"], "description": ["For two.", "Strong.", ""]}
    )
    asker = TermQuestions(items, ("title", "description"), 5, (600, 150), wording=paper_wording())
    (message,) = asker.question(0, [1, 2])
    before, shown, after = (
        message.text.partition("PRODUCT INFORMATION:\n")[0],
        message.text.partition("PRODUCT INFORMATION:\n")[2].partition("\n\nANALYSIS")[0],
        message.text.partition("\n\nANALYSIS")[2],
    )
    assert before.startswith(
        "You are an expert product summarizer. Your task is to generate exactly FIVE words"
    )
    assert shown == ("Tent\nFor two.\n\nTOP 5 SIMILAR PRODUCTS (for reference):\nRope\nStrong.\n\nMat")
    assert after.endswith("in this exact format: [word1, word2, word3, word4, word5]:\n")


def test_the_whole_rendered_question_is_the_wording_with_its_slots_filled():
    items = Items(("a", "b"), {"title": ["Tent {2}", "Rope"]})
    asker = TermQuestions(
        items, ("title",), 3, (600, 150), wording="{count} words, {{x}}: {item} | {neighbours}?"
    )
    assert asker.question(0, [1]) == (Message("user", "3 words, {x}: Tent {2} | Rope?"),)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wording": "About {neighbours}"}, "{item} and {neighbours} once"),
        ({"wording": "About {item}"}, "{item} and {neighbours} once"),
        ({"wording": "{item} {item} {neighbours}"}, "{item} and {neighbours} once"),
        ({"wording": "{item} {neighbours} {price}"}, "no other field"),
        ({"wording": "{item} {neighbours}", "context": False}, "must contain {item} once"),
        ({"wording": "{item} {neighbours}", "prompt": "examples"}, "asked by `prompt: rules`"),
    ],
)
def test_a_wording_that_cannot_be_asked_is_refused_by_check(options, message):
    with pytest.raises(ValidationError, match=re.escape(message)):
        TermIDs(teacher=StubTeacher(), encoder=NGrams(), **options)


def test_a_wording_for_the_extractor_is_refused_because_it_is_not_asked():
    with pytest.raises(ValidationError, match="for a teacher that is a model"):
        TermIDs(wording="{item} {neighbours}", encoder=NGrams(), teacher=Extractive())


@pytest.mark.parametrize(
    "answer",
    [
        "[word1, word2, word3, word4, word5]",
        "[Word 1, Word 2, Word 3, Word 4, Word 5]",
        "[term1, term2, tent, red, hiker]",
        '["keyword1", "keyword2", "keyword3", "keyword4", "keyword5"]',
        "word1, word2, word3, word4, word5]",
    ],
)
def test_the_format_written_back_is_no_answer(answer):
    for read in (read_terms(answer, 5), read_open_list(answer.strip("["), 5)):
        assert isinstance(read, Malformed)
        assert read.reason == "placeholder"
        assert "stands for a word in the format" in read.explanation


def test_an_answer_behind_the_echoed_format_is_read_and_one_numbered_product_is_a_term():
    terms = ("tent", "camping", "nylon", "hiker", "light")
    assert read_terms("[word1, word2, word3, word4, word5] [tent, camping, nylon, hiker, light]", 5) == terms
    assert read_terms("[tent, camping, nylon, hiker, light] [word1, word2, word3, word4, word5]", 5) == terms
    assert read_terms("[word 97, software, office, editor, disc]", 5)[0] == "word-97"


def test_three_terms_where_five_are_asked_for_are_malformed_by_number():
    for read in (read_terms("[tent, red, hiker]", 5), read_open_list("tent, red, hiker]", 5)):
        assert isinstance(read, Malformed)
        assert read.reason == "number"
