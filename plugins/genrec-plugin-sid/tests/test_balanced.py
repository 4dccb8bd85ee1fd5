"""Balanced k-means: exact sizes, nearly the cheapest assignment, the same every time."""

import itertools

import numpy as np
import pytest
import torch
from genrec_plugin_sid import balanced
from genrec_plugin_sid.balanced import balanced_kmeans
from genrec_plugin_sid.market import Bounds, Market, assign
from genrec_plugin_sid.residual import fit_levels


def blobs(count, width, seed=0):
    """Points around a few centres of very different sizes."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(9, width)) * 2
    which = np.minimum(rng.geometric(0.4, count) - 1, 8)
    return torch.from_numpy((centres[which] + rng.normal(size=(count, width))).astype(np.float32))


def sizes(codes, k):
    return sorted(set(torch.bincount(codes, minlength=k).tolist()))


def test_3685_items_in_256_clusters_are_14_or_15_each_at_every_level():
    # SINGER check 8.
    vectors = blobs(3685, 16).numpy()

    def cluster(residuals, level):
        return balanced_kmeans(residuals, 256, np.random.default_rng(level), iterations=2)

    _, codes = fit_levels(vectors, 3, cluster)
    for level in range(3):
        assert sizes(torch.from_numpy(codes[:, level]).long(), 256) == [14, 15]


@pytest.mark.parametrize(("count", "k"), [(7, 7), (8, 3), (100, 7), (513, 32), (64, 1), (300, 150)])
def test_sizes_differ_by_one_at_most(count, k):
    found = balanced_kmeans(blobs(count, 4), k, np.random.default_rng(0), iterations=10)
    assert sizes(found.codes, k) == sorted({count // k, -(-count // k)})
    assert found.centroids.shape == (k, 4)


def test_points_that_are_all_the_same_are_balanced_too():
    found = balanced_kmeans(torch.ones(50, 3), 4, np.random.default_rng(0))
    assert sizes(found.codes, 4) == [12, 13]
    assert found.error == pytest.approx(0, abs=1e-6)


def test_four_points_split_in_two_pairs():
    points = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    found = balanced_kmeans(points, 2, np.random.default_rng(0))
    assert found.codes[0] == found.codes[1] != found.codes[2] == found.codes[3]
    assert found.error == pytest.approx(0.5 + 24.5)


@pytest.mark.parametrize("seed", range(8))
def test_an_assignment_is_close_to_the_cheapest_of_all(seed):
    points, centroids = blobs(8, 2, seed), blobs(3, 2, seed + 100)
    market = Market.of(points, centroids)
    codes, _ = assign(market, Bounds.even(8, 3), torch.zeros(3))
    costs = torch.cdist(points, centroids).square()
    total = costs.gather(1, codes[:, None]).sum()
    every = (
        codes
        for codes in itertools.product(range(3), repeat=8)
        if sorted(map(codes.count, range(3))) == [2, 3, 3]
    )
    cheapest = min(sum(float(costs[i, c]) for i, c in enumerate(codes)) for codes in every)
    assert float(total) <= cheapest * 1.1


def test_the_same_seed_gives_the_same_codes():
    one, other = (balanced_kmeans(blobs(400, 6), 20, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one.codes, other.codes)
    assert torch.equal(one.centroids, other.centroids)


def test_balance_costs_less_error_than_dealing_points_out_at_random():
    points = blobs(600, 6)
    found = balanced_kmeans(points, 30, np.random.default_rng(0))
    dealt = torch.arange(600) % 30
    means = torch.stack([points[dealt == code].mean(0) for code in range(30)])
    assert found.error < 0.5 * float((points - means[dealt]).square().sum())


def test_of_many_points_a_sample_places_the_centroids_and_few_updates_assign_all(monkeypatch):
    points, k, updates = blobs(3000, 6), 8, []
    whole = balanced_kmeans(points, k, np.random.default_rng(0))
    monkeypatch.setattr(balanced, "WHOLE", 600)

    def counted(market, bounds, prices):
        updates.append(len(market.costs))
        return assign(market, bounds, prices)

    monkeypatch.setattr(balanced, "assign", counted)
    sampled = balanced_kmeans(points, k, np.random.default_rng(0))
    again = balanced_kmeans(points, k, np.random.default_rng(0))
    assert torch.equal(sampled.codes, again.codes)
    assert set(torch.bincount(sampled.codes, minlength=k).tolist()) == {375}
    assert updates[: len(updates) // 2].count(3000) <= balanced.FINISH
    assert updates.count(600) > 0
    assert sampled.error < 1.02 * whole.error
