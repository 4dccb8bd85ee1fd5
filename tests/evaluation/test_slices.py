"""Slices."""

from __future__ import annotations

import numpy as np
from evaluation_rows import int32, labelled_view

from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.views import View
from genrec_core.evaluation.slices import popularity_of, slices


def bands(view, popularity, group):
    return {
        band: np.flatnonzero(rows).tolist() for name, band, rows in slices(view, popularity) if name == group
    }


def test_targets_that_training_never_shows_are_cold():
    view = labelled_view([[0], [0]], [1, 2])
    assert bands(view, np.array([5, 3, 0]), "target") == {"cold": [1], "seen": [0]}


def test_history_bands_hold_every_example_once_and_empty_ones_are_left_out():
    view = labelled_view([[0] * length for length in (0, 3, 10, 21, 60)], [0] * 5)
    assert bands(view, np.array([1]), "history") == {
        "0-2": [0],
        "3-5": [1],
        "6-10": [2],
        "21-50": [3],
        "51+": [4],
    }


def test_popularity_bands_split_interactions_into_thirds():
    view = labelled_view([[0]] * 5, [0, 1, 2, 3, 4])
    assert bands(view, np.array([4, 3, 3, 2, 0]), "popularity") == {
        "head": [0],
        "middle": [1, 2],
        "tail": [3, 4],
    }


def test_domains_are_bands_where_there_are_several():
    view = labelled_view([[0]] * 3, [0, 0, 0], domains=("toys", "books", "toys"))
    assert bands(view, np.array([1]), "domain") == {"books": [1], "toys": [0, 2]}
    assert bands(labelled_view([[0]], [0]), np.array([1]), "domain") == {}


def test_popularity_counts_every_training_interaction():
    train = View("train", ("a", "b"), Sequences.of([[0, 2, 2], [2]]), None, 20)
    assert popularity_of(train, 4).tolist() == int32(1, 0, 3, 0).tolist()
