"""Behaviour beside texts: what is chosen together gets codes together, and new items follow their text."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.behaviour import BehaviourOptions, fit_behaviour
from genrec_plugin_sid.naming import paths_of
from genrec_plugin_sid.sequence_vectors import sequence_vectors
from genrec_plugin_sid.unit import unit_rows

from genrec_core import Context, Sequences, View
from genrec_core.engine.baselines.cooccurrence import cooccurrence_vectors

ITEMS = 40


def view(rows):
    return View("train", tuple(f"u{row}" for row in range(len(rows))), Sequences.of(rows), None, 20)


@pytest.fixture
def halves():
    """Users who stay within the even or within the odd items."""
    generator = np.random.default_rng(0)
    return view([[int(i) * 2 + side for i in generator.integers(0, 20, 8)] for side in (0, 1) * 60])


@pytest.fixture
def texts():
    """Vectors that tell the lower half of the catalogue from the upper."""
    generator = np.random.default_rng(1)
    return (generator.standard_normal((ITEMS, 4)) * 0.1 + np.eye(4)[np.arange(ITEMS) // 20]).astype(
        np.float32
    )


def start(items=ITEMS):
    return np.random.default_rng(2).standard_normal(items)


def test_vectors_are_the_svd_of_positive_mutual_information():
    """Three items: 0 and 1 side by side, 2 after them; counts 1, 1, 1/2 worked out by hand."""
    counts = np.array([[0, 1, 0.5], [1, 0, 1], [0.5, 1, 0]])
    margins = counts.sum(1)
    contexts = margins**0.75 / (margins**0.75).sum()
    with np.errstate(divide="ignore"):
        table = np.maximum(np.log(counts / (margins[:, None] * contexts)), 0)
    left, strengths, _ = np.linalg.svd(table)
    expected = left[:, :2] * np.sqrt(strengths[:2])
    found = cooccurrence_vectors(view([[0, 1, 2]]), 3, 2, 20, start(3))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-6)


def test_a_window_bounds_what_counts():
    table = cooccurrence_vectors(view([[0, 1, 2], [0, 1, 3]]), 5, 3, 1, start(5))
    assert not table[4].any()
    assert table[:4].any(axis=1).all()


def test_codes_follow_behaviour_as_far_as_its_share_says(shop, texts, halves):
    items = shop.items(texts)

    def agreement(share):
        behaviour = {"share": share, "dimensions": 4}
        tokenizer = shop.tokenizer(levels=1, codes=2, behaviour=behaviour, collisions="keep")
        codes = paths_of(tokenizer.fit(items, halves, Context()))[:, 0]
        return max(np.mean(codes == np.arange(ITEMS) % 2), np.mean(codes != np.arange(ITEMS) % 2))

    assert agreement(1.0) == 1.0
    assert agreement(0.02) < 0.7


def test_items_that_nobody_chose_get_what_their_text_lets_expect(texts):
    chosen = view([[0, 1, 2, 3], [20, 21, 22, 23]] * 5)
    options = BehaviourOptions(share=0.5, dimensions=2)
    behaviour, joined = fit_behaviour(texts, chosen, options, Context())
    mine = joined[:, 4:] / np.sqrt(0.5)
    np.testing.assert_allclose(mine[30], behaviour.guessed(texts[30:31])[0], atol=1e-6)
    near, far = mine[20:24].mean(0), mine[:4].mean(0)
    assert mine[30] @ near > 0.5 > mine[30] @ far


def test_new_items_are_named_by_their_text_and_old_ones_stay(shop, texts, halves):
    tokenizer = shop.tokenizer(levels=2, codes=4, behaviour={"share": 0.4, "dimensions": 4})
    fitted = tokenizer.fit(shop.items(texts), halves, Context())
    grown = tokenizer.extend(fitted, shop.items(texts[:3], "new"), Context())
    assert [grown.tokens(item) for item in range(ITEMS)] == [fitted.tokens(item) for item in range(ITEMS)]
    assert len(grown) == ITEMS + 3
    again = tokenizer.fit(shop.items(texts), halves, Context())
    assert again.digest == fitted.digest


def test_the_doctor_compares_the_text_part_alone(shop, texts, halves):
    items = shop.items(texts)
    tokenizer = shop.tokenizer(levels=3, codes=8, behaviour={"share": 0.3, "dimensions": 4})
    found = tokenizer.reconstruct(tokenizer.fit(items, halves, Context()), items, Context())
    np.testing.assert_allclose(found.seen, unit_rows(texts), atol=1e-6)
    error = np.square(found.seen - found.decoded).sum()
    assert error < 0.5 * np.square(found.seen - found.seen.mean(0)).sum()
    alone = shop.tokenizer(levels=1, codes=4, behaviour={"share": 1.0, "dimensions": 4})
    assert alone.reconstruct(alone.fit(items, halves, Context()), items, Context()) is None


@pytest.mark.parametrize("dimensions", [3, 4])
def test_a_sequential_recommender_moves_the_vectors_of_items_it_saw(texts, dimensions):
    generator = np.random.default_rng(5)
    chosen = view([[int(i) + side for i in generator.integers(0, 10, 8)] for side in (0, 20) * 30])
    options = {"share": 1.0, "dimensions": dimensions}
    _, before = fit_behaviour(texts, chosen, BehaviourOptions(**options), Context())
    behaviour, after = fit_behaviour(texts, chosen, BehaviourOptions(epochs=2, **options), Context())
    mine = after[:, 4:]
    assert not np.allclose(mine[:5], before[:5, 4:], atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(mine, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(mine[30], behaviour.guessed(texts[30:31])[0], atol=1e-6)
    _, again = fit_behaviour(texts, chosen, BehaviourOptions(epochs=2, **options), Context())
    assert np.array_equal(after, again)


def test_order_is_learnt_where_neighbours_do_not_tell():
    """Items 0 to 3 stand beside the same items equally often; 0 and 1 are followed by 8, 2 and 3 by 9."""
    rows = [[first, after] for first, after in ((0, 8), (1, 8), (2, 9), (3, 9))]
    rows += [[before, first] for before, first in ((9, 0), (9, 1), (8, 2), (8, 3))]
    vectors = unit_rows(np.random.default_rng(0).standard_normal((10, 32), np.float32))
    found = sequence_vectors(vectors, view(rows * 200), 100, Context())
    alike = found @ found.T
    assert min(alike[0, 1], alike[2, 3]) > max(alike[0, 2], alike[0, 3], alike[1, 2], alike[1, 3])


def test_codes_from_sequences_are_named_later_too(shop, texts, halves):
    behaviour = {"share": 0.8, "dimensions": 4, "epochs": 2}
    tokenizer = shop.tokenizer(levels=2, codes=4, behaviour=behaviour)
    fitted = tokenizer.fit(shop.items(texts), halves, Context())
    assert tokenizer.fit(shop.items(texts), halves, Context()).digest == fitted.digest
    assert len(tokenizer.extend(fitted, shop.items(texts[:3], "new"), Context())) == ITEMS + 3
