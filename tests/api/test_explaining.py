"""Why an item was recommended: what users had both, what identifiers share, which beam it was."""

from __future__ import annotations

import numpy as np

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
    assert explainer.near(2, (4, 3, 0)) == [Near(0, 2, 0), Near(3, 1, 1)]
    assert explainer.near(1, (0, 3, 0, 1)) == [Near(3, 1, 0), Near(0, 0, 1)], "each once, and not itself"
    assert explainer.near(4, (0, 1)) == []


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
