"""The frame that k-means looks from: centred, turned to principal axes, whitened, and back."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.linear import Frame

from genrec_core import GenrecError

POINTS = np.array([[0, 0], [4, 0], [4, 2], [8, 2]], dtype=np.float32)


def _frame(vectors, center=True, components=None, whiten=False):
    return Frame.of(np.asarray(vectors, np.float32), center=center, components=components, whiten=whiten)


def test_the_example_in_the_module_holds():
    seen = _frame(POINTS, components=1).apply(POINTS)[:, 0]
    np.testing.assert_allclose(seen, [-4.12, -0.26, 0.26, 4.12], atol=0.01)


def test_without_components_only_the_mean_goes():
    assert _frame(POINTS).apply(POINTS).tolist() == [[-4, -1], [0, -1], [0, 1], [4, 1]]
    assert _frame(POINTS, center=False).apply(POINTS).tolist() == POINTS.tolist()


@pytest.mark.parametrize("whiten", [False, True])
def test_all_components_together_lose_nothing(cloud, whiten):
    frame = _frame(cloud, components=16, whiten=whiten)
    np.testing.assert_allclose(frame.undo(frame.apply(cloud)), cloud, atol=1e-4)


def test_components_are_those_of_largest_variance_and_uncorrelated(cloud):
    seen = _frame(cloud, components=5).apply(cloud)
    spread = np.cov(seen.T, bias=True)
    expected = np.sort(np.linalg.eigvalsh(np.cov(cloud.T, bias=True)))[::-1][:5]
    np.testing.assert_allclose(spread, np.diag(expected), atol=1e-3)


def test_whitened_components_have_variance_one(cloud):
    seen = _frame(cloud, components=5, whiten=True).apply(cloud)
    np.testing.assert_allclose(np.cov(seen.T, bias=True), np.eye(5), atol=1e-4)


def test_axes_point_the_same_way_when_items_are_reordered(cloud):
    one, other = _frame(cloud, components=4), _frame(cloud[::-1], components=4)
    np.testing.assert_allclose(one.axes, other.axes, atol=1e-4)
    largest = np.take_along_axis(one.axes, np.abs(one.axes).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0).all()


def test_more_components_than_directions_are_refused_with_how_many_there_are():
    line = np.outer(np.arange(9), [1, 2, 3])
    with pytest.raises(GenrecError, match="which is `1`"):
        _frame(line, components=2)
