"""Whole histories of users, whatever a split hides from whom."""

from __future__ import annotations

import numpy as np

from genrec_core import Sequences, View, Views
from genrec_core.api.histories import Histories


def view(name, users, rows, targets=None):
    asked = None if targets is None else np.asarray(targets, dtype=np.int32)
    return View(name, users, Sequences.of(rows), asked, 3)


def test_the_row_that_reaches_furthest_counts_with_its_target():
    train = view("train", ("long", "short", "twice"), [[1, 2], [5], [7]])
    valid = view("valid", ("long", "twice"), [[1, 2], [7]], [3, 8])
    test = view("test", ("long", "twice", "twice"), [[1, 2, 3], [7, 8], [7, 8, 9]], [4, 9, 6])
    histories = Histories(Views(train, valid, test))
    assert list(histories) == ["long", "short", "twice"]
    assert histories.of("long") == (1, 2, 3, 4), "longer than `max_history`, and with the held-out item"
    assert histories.of("short") == (5,)
    assert histories.of("twice") == (7, 8, 9, 6), "of several test rows the longest"
    assert "nobody" not in histories
