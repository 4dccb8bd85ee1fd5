"""K-means: known clusters found, the objective as good as scikit-learn's, no cluster left empty."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from genrec_plugin_sid.clusters import CHUNK, nearest
from genrec_plugin_sid.kmeans import kmeans, seeds


def _points(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def _generator(seed=0):
    return np.random.default_rng(seed)


def test_the_example_in_the_module_holds():
    found = kmeans(_points(-1, 0, 9, 11), 2, _generator())
    assert sorted(found.centroids[:, 0].tolist()) == [-0.5, 10]
    assert found.error == 2.5
    assert found.codes[0] == found.codes[1] != found.codes[2] == found.codes[3]


def test_ties_go_to_the_lower_code():
    codes, squared = nearest(_points(5), _points(4, 6, 4))
    assert codes.tolist() == [0]
    assert squared.tolist() == [1]


def test_chunks_do_not_show():
    points = torch.from_numpy(_generator(2).standard_normal((CHUNK + 7, 4)).astype(np.float32))
    codes, squared = nearest(points, points[:9])
    exact = ((points[:, None] - points[None, :9]) ** 2).sum(dim=2)
    assert (codes == exact.argmin(dim=1)).all()
    torch.testing.assert_close(squared, exact.min(dim=1).values, atol=1e-4, rtol=1e-4)


def test_seeds_are_points_far_from_one_another():
    points = torch.cat([_points(*([0.0] * 50)), _points(*([100.0] * 50)), _points(1000.0)])
    assert sorted(seeds(points, 3, _generator())[:, 0].tolist()) == [0, 100, 1000]


def test_a_cluster_that_runs_empty_starts_again_where_the_error_is_largest():
    found = kmeans(_points(*([0.0] * 90), 10, 20, 30, 40), 5, _generator(), iterations=50)
    assert found.error == 0
    assert len(found.codes.unique()) == 5


def test_more_centroids_than_different_points_is_no_endless_loop():
    found = kmeans(_points(1, 1, 1), 2, _generator(), iterations=10)
    assert found.error == 0


def test_one_point_is_its_own_centroid():
    found = kmeans(_points(3), 1, _generator())
    assert found.centroids.tolist() == [[3]]


def test_far_points_among_noise_do_not_keep_clusters_to_themselves():
    rng = _generator(5)
    noise = rng.standard_normal((900, 16)) * (1 + rng.random((900, 1)))
    codes = kmeans(torch.from_numpy(noise.astype(np.float32)), 30, _generator()).codes
    assert int(torch.bincount(codes, minlength=30).min()) > 2


def test_the_objective_is_as_low_as_that_of_scikit_learn(cloud):
    cluster = pytest.importorskip("sklearn.cluster", reason="scikit-learn is not installed")
    theirs = min(cluster.KMeans(20, n_init=1, random_state=seed).fit(cloud).inertia_ for seed in range(3))
    ours = min(kmeans(torch.from_numpy(cloud), 20, _generator(seed)).error for seed in range(3))
    assert ours <= 1.02 * theirs
