"""The nonlinear quantiser: scaling that can be undone, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from genrec_plugin_sid.autoencoder import Autoencoder
from genrec_plugin_sid.nonlinear import NonlinearQuantiser, Scaling
from genrec_plugin_sid.residual import encode


def _column(*values):
    return np.array(values, dtype=np.float32)[:, None]


@pytest.fixture
def quantiser():
    """The one of the example in the module."""
    identity = Autoencoder([1, 1])
    identity.load_state_dict(
        {
            name: torch.ones_like(w) if w.ndim == 2 else torch.zeros_like(w)
            for name, w in identity.state_dict().items()
        }
    )
    books = (_column(0, 10), _column(-1, 1))
    return NonlinearQuantiser(Scaling(_column(100)[0], np.array(2, np.float32)), identity, books)


def test_the_example_in_the_module_holds(quantiser):
    codes = encode(quantiser.latents(_column(118)), quantiser.codebooks)
    assert quantiser.latents(_column(118)).tolist() == [[9]]
    assert codes.tolist() == [[1, 0]]
    assert quantiser.decode(codes).tolist() == [[118]]


def test_scaled_vectors_lie_around_the_origin_with_a_mean_squared_length_of_one(cloud):
    vectors = 1000 + 30 * cloud
    points = Scaling.of(vectors).apply(vectors)
    assert points.dtype == np.float32
    assert np.abs(points.mean(axis=0)).max() < 1e-5
    assert np.square(points).sum(axis=1).mean() == pytest.approx(1)


def test_scaling_is_undone(cloud):
    scaling = Scaling.of(cloud)
    np.testing.assert_allclose(scaling.undo(scaling.apply(cloud)), cloud, atol=1e-5)


def test_vectors_all_alike_are_not_divided_by_nothing():
    points = Scaling.of(np.full((5, 3), 7, np.float32)).apply(np.full((2, 3), 7, np.float32))
    assert points.tolist() == [[0, 0, 0]] * 2


def test_a_state_brings_the_quantiser_back(quantiser):
    again = NonlinearQuantiser.from_state(quantiser.state() | {"encoder.mean": np.zeros(3)})
    assert again.latents(_column(118)).tolist() == [[9]]
    assert again.decode(np.array([[0, 1]], np.int32)).tolist() == [[102]]
