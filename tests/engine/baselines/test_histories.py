"""Windows, padding and batches of histories."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.contracts.dataset import Sequences
from genrec_core.engine.baselines.histories import batches, history_matrix, windows

rows_of_items = st.lists(st.lists(st.integers(0, 99), max_size=30), max_size=12)


@given(rows_of_items, st.integers(1, 9))
def test_every_item_but_the_first_is_a_target_once_and_no_window_is_too_long(rows, length):
    cut = windows(Sequences.of(rows), length)
    assert all(2 <= len(window) <= length + 1 for window in cut)
    targets = sorted(int(item) for window in cut for item in window[1:])
    assert targets == sorted(item for row in rows for item in row[1:])


def test_windows_are_cut_from_the_newest_item_backwards():
    cut = windows(Sequences.of([[0, 1, 2, 3, 4, 5], [6]]), 3)
    assert [window.tolist() for window in cut] == [[2, 3, 4, 5], [0, 1, 2]]


def test_padding_is_at_the_right():
    matrix, lengths = history_matrix([np.array([1, 2, 3], dtype=np.int32), np.array([4], dtype=np.int32)])
    assert matrix.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert lengths.tolist() == [3, 1]


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=400), st.integers(1, 200), st.integers(0, 9))
def test_an_epoch_takes_every_row_once_in_batches_of_about_equal_size(targets, size, seed):
    counts = np.array(targets, dtype=np.int64)
    made = batches(counts, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(made).tolist()) == list(range(len(targets)))
    assert all(counts[batch].sum() <= 1.5 * size + 2 * counts.max() for batch in made)


def test_rows_of_a_batch_are_alike_in_length():
    counts = np.random.default_rng(0).geometric(0.15, size=20_000)
    made = batches(counts, 500, np.random.default_rng(1))
    padding = sum(int(counts[batch].max()) * len(batch) for batch in made) / counts.sum()
    assert padding < 1.15
