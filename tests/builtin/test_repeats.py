"""`core/repeats`."""

from __future__ import annotations

import numpy as np
import pytest
from baseline_data import items, requests, training

from genrec_core.builtin.repeats import Repeats, lowering, repeated_share, training_requests
from genrec_core.contracts.context import Context
from genrec_core.contracts.views import Request


def session(rows, size):
    state = Repeats().fit(items(size), training(*rows), Context())
    return Repeats().open(state, items(size), Context())


def test_items_of_a_history_get_the_share_of_repeats():
    rows = [[user % 20, (user + 1) % 20, (user + 2) % 20] for user in range(300)]
    rows[::10] = [[row[0], row[1], row[1]] for row in rows[::10]]
    found = session(rows, 20)
    shares = []
    for request in training_requests(training(*rows).train, 4096):
        weights = np.exp(found.scores([request])[0])
        shares.append(weights[list(set(request.history))].sum() / weights.sum())
    assert repeated_share(training(*rows).train) == 30.5 / 601
    assert np.mean(shares) == pytest.approx(30.5 / 601, rel=1e-3)


def test_where_repeats_are_common_nothing_changes():
    assert not session([[0, 0, 1, 1], [2, 2, 3, 3]], 50).scores(requests([0, 1])).any()


def test_only_items_of_the_history_are_lowered():
    row = session([[0, 1, 2, 3], [4, 5, 6]] * 20, 8).scores(requests([3, 1, 3], []))
    assert row[0][[1, 3]].tolist() == [row[0].min()] * 2 < [0, 0]
    assert not np.delete(row[0], [1, 3]).any()
    assert not row[1].any()


def test_requests_of_training_are_cut_at_users_and_at_the_longest_history():
    view = training([7, 8, 9], [], [5], [1, 2]).train
    assert [one.history for one in training_requests(view, 10)] == [(7,), (7, 8), (1,)]
    long = training(list(range(30))).train
    assert training_requests(long, 10)[-1] == Request("", tuple(range(9, 29)))
    assert len(training_requests(long, 10)) == 10


def test_nothing_is_learned_from_nothing():
    assert lowering(np.zeros(0), np.zeros(0), 0.1) == 0.0
    assert not session([[1]], 3).scores(requests([1])).any()
