"""What new items are called, beside whom."""

from __future__ import annotations

import numpy as np

from genrec_core import Identifiers
from genrec_core.identifiers.arrivals import COMPANIONS, arrivals, nearest_known

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
