"""Collision policies: who gets a rank, and who keeps the one it has."""

from __future__ import annotations

import numpy as np
from genrec_plugin_sid.collisions import keep, suffix
from hypothesis import given
from hypothesis import strategies as st

NONE = np.zeros((0, 3), dtype=np.int32)


def _codes(*rows):
    return np.array(rows, dtype=np.int32).reshape(-1, 2)


def test_the_example_in_the_module_holds():
    paths = suffix(_codes((1, 2), (1, 2), (3, 4)), NONE)
    assert paths.tolist() == [[1, 2, 0], [1, 2, 1], [3, 4, -1]]
    assert suffix(_codes((3, 4)), paths).tolist() == [[3, 4, 0]]


def test_new_items_take_the_next_free_rank_of_a_crowded_bucket():
    settled = suffix(_codes((1, 2), (1, 2)), NONE)
    assert suffix(_codes((1, 2), (1, 2), (5, 5)), settled).tolist() == [[1, 2, 2], [1, 2, 3], [5, 5, -1]]


def test_keep_gives_nobody_a_rank():
    assert keep(_codes((1, 2), (1, 2)), NONE).tolist() == [[1, 2, -1], [1, 2, -1]]


def test_no_items_are_no_problem():
    assert suffix(_codes(), NONE).shape == (0, 3)


_ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30)


@given(_ROWS, _ROWS)
def test_paths_are_unique_and_ranks_follow_the_catalogue(old, new):
    settled = suffix(_codes(*old), NONE)
    grown = np.concatenate([settled, suffix(_codes(*new), settled)])
    assert len(np.unique(grown, axis=0)) == len(grown)
    for bucket in {(*row,) for row in [*old, *new]}:
        ranks = [int(path[-1]) for path in grown if tuple(path[:2]) == bucket]
        assert ranks == sorted(ranks)
