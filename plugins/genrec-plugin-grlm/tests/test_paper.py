"""Worked examples of context-aware term generation (GRLM §3.1), and traps that its repository fell into."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from genrec_plugin_grlm.answer import Malformed, read_terms
from genrec_plugin_grlm.neighbours import nearest_items
from genrec_plugin_grlm.prompt import Asker

from genrec_core import Context, Items

NEEDS_HNSWLIB = pytest.mark.skipif(
    find_spec("hnswlib") is None, reason="hnswlib is not installed; it needs a C++ compiler"
)
GRAPH = pytest.param(0, id="graph", marks=NEEDS_HNSWLIB)
EXACT = pytest.param(100, id="exact")


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
    question = Asker(items, ("title", "description"), 5, (600, 150)).question(0, [1])[0].text
    assert "description: D0" in question
    assert "description: short" in question
    assert question.index("D0") < question.index("SIMILAR") < question.index("short")


@pytest.mark.parametrize("count", [5, 7, 10])
def test_the_seven_guidelines_are_asked_for(count):
    items = Items(("a", "b"), {"title": ["Tent", "Rope"]})
    question = Asker(items, ("title",), count, (600, 150)).question(0, [1])[0].text
    assert [line[0] for line in question.splitlines() if line[:2] in {f"{n}." for n in range(1, 8)}][:7] == [
        *"1234567"
    ]
    assert f"exactly {count} words" in question


def test_a_list_is_read_whatever_its_quotes_and_capitals():
    assert read_terms('[A b, "C", d, e, f]', 5) == ("a-b", "c", "d", "e", "f")


def test_four_terms_are_malformed_and_never_padded():
    read = read_terms("[a, b, c, d]", 5)
    assert isinstance(read, Malformed)
    assert (read.reason, read.told) == ("number", "it has 4 words, not 5")
