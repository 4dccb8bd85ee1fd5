"""Prefixes, usage and leaves on identifiers small enough to count by hand, and against a slow count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core import Identifiers
from genrec_core.identifiers.health import levels
from genrec_core.identifiers.prefixes import Prefixes, under_prefixes

NAMES = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=30)


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_items_share_a_group_exactly_when_they_share_the_prefix(names):
    prefixes = Prefixes.of(Identifiers.of(names))
    for length in range(1, max(map(len, names)) + 1):
        group = prefixes.groups[length - 1]
        for i, one in enumerate(names):
            assert (group[i] >= 0) == (len(one) >= length)
            alike = [j for j, other in enumerate(names) if group[i] >= 0 and group[j] == group[i]]
            expected = [j for j, other in enumerate(names) if other[:length] == one[:length]]
            assert alike == ([j for j in expected if len(names[j]) >= length] if len(one) >= length else [])
            assert prefixes.sharing(length)[i] == max(len(alike) - 1, 0)


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_items_share_a_leaf_exactly_when_they_share_the_identifier(names):
    leaves = Prefixes.of(Identifiers.of(names)).leaves
    assert [[bool(a == b) for b in leaves] for a in leaves] == [[a == b for b in names] for a in names]


def test_leaves_under_a_prefix_are_distinct_identifiers_not_items():
    names = [("a", "x"), ("a", "y"), ("a", "y"), ("b", "x")]
    first, second = under_prefixes(Prefixes.of(Identifiers.of(names)))
    assert (first.prefixes, first.least, first.median, first.mean, first.most) == (2, 1, 1.5, 1.5, 2)
    assert (first.single, first.decided, first.shared) == (0.5, 0.25, 0.75)
    assert (second.prefixes, second.single, second.shared) == (3, 1.0, 0.5)


def test_items_too_short_for_a_prefix_are_not_counted_under_it():
    _, second = under_prefixes(Prefixes.of(Identifiers.of([("a",), ("a", "x"), ("a", "y")])))
    assert (second.items, second.prefixes, second.shared) == (2, 2, 0.0)


def test_a_code_book_is_read_off_the_new_tokens():
    new = [f"<a_{n}>" for n in range(8)] + [f"<b_{n}>" for n in range(4)]
    ids = Identifiers.of([("<a_1>", "<b_0>"), ("<a_7>", "<b_0>")], new_tokens=new)
    first, second = levels(ids, Prefixes.of(ids))
    assert (first.codes, first.possible, second.codes, second.possible) == (2, 8, 1, 4)


def test_words_have_no_code_book():
    ids = Identifiers.of([("red", "tent"), ("blue", "tent")], separator=" ")
    assert [(level.coded, level.possible) for level in levels(ids, Prefixes.of(ids))] == [(False, None)] * 2


def test_a_level_that_only_tells_apart_items_alike_before_it_holds_ranks():
    ranked = Identifiers.of([("a", "x", "1"), ("a", "x", "2"), ("b", "y")])
    words = Identifiers.of([("red", "tent", "small"), ("red", "lamp"), ("blue", "tent")])
    assert [level.ranks for level in levels(ranked, Prefixes.of(ranked))] == [False, False, True]
    assert [level.ranks for level in levels(words, Prefixes.of(words))] == [False, False, False]


def test_published_codes_leave_what_was_counted_by_others(shared_sids):
    second = under_prefixes(Prefixes.of(shared_sids))[1]
    assert second.usual == 2
    assert second.few == pytest.approx(0.976, abs=5e-4)
    assert second.decided == pytest.approx(0.438, abs=5e-4)


def test_a_hundred_thousand_items_need_no_python_loop():
    codes = np.random.default_rng(0).integers(256, size=(100_000, 3)).astype(np.int32)
    codes += 256 * np.arange(3, dtype=np.int32)
    vocabulary = tuple(f"<{level}_{code}>" for level in "abc" for code in range(256))
    ids = Identifiers(vocabulary, codes.reshape(-1), np.arange(0, 300_001, 3))
    prefixes = Prefixes.of(ids)
    assert len(prefixes.bucket_sizes) == len(np.unique(codes, axis=0))
    assert "_buckets" not in vars(ids)
