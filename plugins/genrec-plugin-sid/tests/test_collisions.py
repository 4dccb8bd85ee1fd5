"""Collision policies: who gets a rank, who moves where, and that old paths stay."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.collisions import POLICIES, keep, suffix
from genrec_plugin_sid.next_nearest import next_nearest
from genrec_plugin_sid.paths import Coded
from genrec_plugin_sid.reassignment import reassigned
from genrec_plugin_sid.residual import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core import GenrecError

NOBODY = np.zeros((0, 3), dtype=np.int32)


def _column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def _codes(*rows, settled=NOBODY):
    """Items with these codes; where they lie does not matter."""
    codes = np.array(rows, dtype=np.int32).reshape(-1, 2)
    return Coded(codes, settled, np.zeros((len(codes), 1), np.float32), (_column(*range(9)),) * 2)


def _points(*values, books, settled=NOBODY):
    """Items at these places, with their nearest codes."""
    latents = _column(*values)
    return Coded(encode(latents, books), settled, latents, books)


BOOKS = (_column(0, 10), _column(-1, 0, 1))


def test_ranks_follow_the_catalogue_and_a_new_item_takes_the_next():
    paths = suffix(_codes((1, 2), (1, 2), (3, 4)))
    assert paths.tolist() == [[1, 2, 0], [1, 2, 1], [3, 4, -1]]
    assert suffix(_codes((3, 4), settled=paths)).tolist() == [[3, 4, 0]]
    grown = suffix(_codes((1, 2), (1, 2), (5, 5), settled=paths))
    assert grown.tolist() == [[1, 2, 2], [1, 2, 3], [5, 5, -1]]


def test_keep_gives_nobody_a_rank():
    assert keep(_codes((1, 2), (1, 2))).tolist() == [[1, 2, -1], [1, 2, -1]]


def test_the_nearest_of_a_bucket_keeps_its_codes_and_the_next_nearest_moves_first():
    found = next_nearest(_points(9.1, 9.0, 9.2, books=BOOKS))
    assert found.tolist() == [[1, 1, -1], [1, 0, -1], [1, 2, -1]]


def test_where_the_last_level_is_full_the_level_above_gives_way():
    found = next_nearest(_points(9.1, 9.0, 9.2, 9.3, books=BOOKS))
    assert found[3].tolist() == [0, 2, -1]


def test_items_with_equal_embeddings_spread_and_the_first_in_the_catalogue_stays():
    assert next_nearest(_points(9, 9, 9, books=BOOKS))[:, :2].tolist() == [[1, 0], [1, 1], [1, 2]]


def test_a_new_item_moves_away_from_a_settled_one_even_if_it_is_nearer():
    settled = next_nearest(_points(9.3, books=BOOKS))
    assert next_nearest(_points(9.0, books=BOOKS, settled=settled)).tolist() == [[1, 1, -1]]


def test_sinkhorn_shares_out_the_last_codes_at_least_cost():
    books = (_column(0), _column(0, 1, 5))
    assert reassigned(_points(0.1, 0.4, books=books))[:, 1].tolist() == [0, 1]
    # Whoever comes first: the farther one gives way.
    assert reassigned(_points(0.4, 0.1, books=books))[:, 1].tolist() == [1, 0]


def test_sinkhorn_draws_in_nobody_from_outside_the_bucket():
    books = (_column(0), _column(0, 1, 5))
    found = reassigned(_points(0.1, 0.4, 1.1, books=books))
    assert found[:, 1].tolist() == [0, 2, 1]


def test_sinkhorn_takes_a_bucket_apart_better_than_one_item_after_another():
    # Greedily the second item takes the code that the third has no good substitute for.
    books = (_column(0), _column(0, 3, -2.9))
    latents = _column(0, 0.1, 1.4)
    coded = Coded(np.zeros((3, 2), np.int32), NOBODY, latents, books)
    cost = {
        policy: float(np.square(latents - books[1][policy(coded)[:, 1]]).sum())
        for policy in (next_nearest, reassigned)
    }
    assert cost[reassigned] < cost[next_nearest]


@pytest.mark.parametrize("policy", [next_nearest, reassigned])
def test_more_items_than_codes_are_refused(policy):
    with pytest.raises(GenrecError, match=r"7 items .* 2 × 3 codes make `6`"):
        policy(_points(*range(7), books=BOOKS))


def test_every_policy_takes_no_items():
    for policy in POLICIES.values():
        assert policy(_points(books=BOOKS)).shape == (0, 3)


_PLACES = st.lists(st.sampled_from([-1.0, -0.9, 0.0, 0.1, 5.0, 9.0, 11.0]), max_size=8)


@pytest.mark.parametrize("name", ["suffix", "next-nearest", "sinkhorn"])
@given(old=_PLACES, new=_PLACES)
@settings(max_examples=60, deadline=None)
def test_old_and_new_paths_are_all_different(name, old, new):
    books = (_column(0, 10), _column(-1, 0, 1, 3), _column(-0.1, 0.1))
    nobody = np.zeros((0, 4), dtype=np.int32)
    settled = POLICIES[name](_points(*old, books=books, settled=nobody))
    found = POLICIES[name](_points(*new, books=books, settled=settled))
    both = np.concatenate([settled, found])
    assert len(np.unique(both, axis=0)) == len(both) == len(old) + len(new)


_ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30)


@given(_ROWS, _ROWS)
def test_ranks_follow_the_catalogue(old, new):
    settled = suffix(_codes(*old))
    grown = np.concatenate([settled, suffix(_codes(*new, settled=settled))])
    for bucket in {(*row,) for row in [*old, *new]}:
        ranks = [int(path[-1]) for path in grown if tuple(path[:2]) == bucket]
        assert ranks == sorted(ranks)
