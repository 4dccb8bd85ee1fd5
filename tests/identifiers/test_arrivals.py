"""What new items are called, beside whom."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from genrec_core import Identifiers
from genrec_core.identifiers.arrivals import COMPANIONS, arrivals, nearest_known, unlike_known

KNOWN = [("a", "x", "1"), ("a", "x", "2"), ("a", "y"), ("b",)]


def found(*new):
    return arrivals(Identifiers.of([*KNOWN, *new]), len(KNOWN))


def test_the_longest_shared_beginning_counts_and_its_known_owners_are_named():
    told = found(("a", "x", "3"), ("a", "z"), ("c", "x", "1"), ("b", "x"))
    assert told.shared.tolist() == [2, 1, 0, 1]
    assert told.companions == ((0, 1), (0, 1, 2), (), (3,))
    assert told.counts == (3, 1, 0)


def test_new_items_are_no_companions_of_each_other():
    told = found(("c", "x"), ("c", "x"))
    assert told.shared.tolist() == [0, 0]
    assert told.colliding == 2


def test_an_identifier_that_a_known_item_has_collides():
    told = found(("a", "y"), ("d",))
    assert (told.shared.tolist(), told.colliding) == ([2, 0], 1)


def test_at_most_a_few_companions_are_named():
    told = arrivals(Identifiers.of([("a", str(n)) for n in range(9)]), 8)
    assert told.companions == (tuple(range(COMPANIONS)),)


def test_the_nearest_known_item_has_the_largest_cosine_whatever_the_lengths():
    vectors = np.asarray([[9, 1], [1, 1], [0, 0], [2, 2.1], [1, 1.01]], dtype=np.float32)
    nearest = nearest_known(vectors, 4, 4, count=2)
    assert [item for item, _ in nearest] == [1, 3]
    assert abs(nearest[0][1] - 1) < 1e-4


def test_new_items_that_resemble_no_known_one_are_found_with_their_largest_cosine():
    known = [[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0.1, 1, 0]]
    new = [[2, 0.05, 0], [0, 0, 3], [0, 0, 0], [1, 1, 0.2]]
    found, bar = unlike_known(np.asarray(known + new, dtype=np.float32), 4)
    assert bar == pytest.approx(0.995, abs=1e-3)  # every known item has one as near as this
    assert [item for item, _ in found] == [5, 6, 7]
    assert [cosine for _, cosine in found] == pytest.approx([0, 0, 1.1 / (2.04 * 1.01) ** 0.5])


def test_what_counts_as_unlike_is_never_below_the_least_and_blocks_do_not_matter(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((50, 200)).astype(np.float32)
    vectors[49] = 0
    whole = unlike_known(vectors, 45)
    assert whole[0][-1] == (49, 0.0)
    monkeypatch.setattr(sys.modules[unlike_known.__module__], "_BLOCK", 7)
    found, bar = unlike_known(vectors, 45)
    assert (found, bar) == (whole[0], pytest.approx(whole[1]))
    assert unlike_known(np.eye(3, dtype=np.float32), 2) == ([(2, 0.0)], 0.05)
