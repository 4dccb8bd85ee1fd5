"""Why an item was recommended: what users had both, what identifiers share, which beam it was."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core import (
    Candidate,
    Candidates,
    Catalogue,
    How,
    Identifiers,
    Items,
    Ranked,
    Request,
    Sequences,
    View,
)
from genrec_core.api import explaining
from genrec_core.api.answering import RankedAnswer
from genrec_core.api.explaining import Explainer, Near

CATALOGUE = Catalogue(
    Items(tuple(f"i{n}" for n in range(5)), {}),
    Identifiers.of([("<a>", "<b>"), ("<a>", "<c>"), ("<d>", "<b>"), ("<d>", "<e>"), ("<f>", "<g>")]),
)
TRAIN = View("train", ("u", "v", "w"), Sequences.of([[0, 2, 0], [0, 2, 3], [3, 1]]), None, 5)


def test_the_nearest_items_are_those_that_users_had_too():
    explainer = Explainer(CATALOGUE, TRAIN)
    # Item 2 is with 0 in the rows of u and v; 3 is with 2 in v's, and begins alike; nothing connects 4.
    assert explainer.near([([2], (4, 3, 0))]) == [[[Near(0, 2, 0), Near(3, 1, 1)]]]
    once = [[Near(3, 1, 0), Near(0, 0, 1)]]
    assert explainer.near([([1], (0, 3, 0, 1))]) == [once], "each once, and not itself"
    assert explainer.near([([4], (0, 1)), ([2, 4], ()), ([], (1,))]) == [[[]], [[], []], []]
    assert explainer.near([]) == []


@pytest.mark.parametrize("at_once", [1, 40, 1_000_000])
def test_nearest_items_are_those_of_a_plain_count(monkeypatch, at_once):
    """Against counting by sets; identifiers of one to three tokens, some of them beginnings of others."""
    monkeypatch.setattr(explaining, "_AT_ONCE", at_once)
    draw = np.random.default_rng(0)
    named = [tuple(f"<{code}>" for code in draw.integers(0, 2, draw.integers(1, 4))) for _ in range(30)]
    rows = [draw.integers(0, 30, draw.integers(0, 9)).tolist() for _ in range(20)]
    catalogue = Catalogue(Items(tuple(f"i{n}" for n in range(30)), {}), Identifiers.of(named))
    train = View("train", tuple(map(str, range(20))), Sequences.of(rows), None, 30)
    explainer = Explainer(catalogue, train)
    asked = [
        (draw.integers(0, 30, 10).tolist(), draw.integers(0, 30, draw.integers(0, 12)).tolist())
        for _ in range(20)
    ]
    for (items, history), nearest in zip(asked, explainer.near(asked), strict=True):
        for item, near in zip(items, nearest, strict=True):
            plain = []
            for other in dict.fromkeys(reversed(history)):
                both = sum(item in row and other in row for row in rows)
                shortest = min(len(named[item]), len(named[other]))
                alike = sum(named[item][:n] == named[other][:n] for n in range(1, shortest + 1))
                if other != item and both + alike:
                    plain.append(Near(other, both, alike))
            assert near == sorted(plain, key=lambda one: (-one.both, -one.alike))[:3]


def test_a_table_names_beams_and_thoughts():
    written = Candidates((Candidate(("<d>", "<b>"), -1.0), Candidate((), -2.0, "a text")), thought="hm")
    ranked = Ranked(
        np.array([2, 1], dtype=np.int32), np.array([-1.0, -2.0], dtype=np.float32),
        np.full(2, How.DIRECT, dtype=np.uint8), 2, beams=np.array([0, 1], dtype=np.int32),
    )  # fmt: skip
    answers = [
        RankedAnswer(Request("u", (0,)), ranked, written),
        RankedAnswer(Request("v", ()), Ranked.direct(np.array([0]), np.array([3])), popular=True),
    ]
    table = Explainer(CATALOGUE, TRAIN).table(answers)
    assert table[0] == {
        "request": 0, "rank": 1, "item": "i2", "near": "i0", "both": "2", "alike": "0 of 2",
        "beam": "1: <d><b>",
    }  # fmt: skip
    assert table["beam"] == ["1: <d><b>", "2: a text", ""]
    assert table.notes == ("thought of request 0: hm",)
