"""The autoencoder: shapes, weights that come back bit for bit, latents that do not depend on company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from genrec_plugin_sid.autoencoder import PADDED_ROWS, Autoencoder


def _network(*widths, seed=0):
    return Autoencoder.fresh(widths, np.random.default_rng(seed))


@pytest.fixture
def rows():
    return torch.from_numpy(
        np.random.default_rng(5).standard_normal((PADDED_ROWS + 9, 24)).astype(np.float32)
    )


def test_the_decoder_mirrors_the_encoder():
    shapes = {name: array.shape for name, array in _network(24, 16, 4).arrays().items()}
    assert shapes["encoder.0.weight"] == (16, 24)
    assert shapes["encoder.2.weight"] == (4, 16)
    assert shapes["decoder.0.weight"] == (16, 4)
    assert shapes["decoder.2.weight"] == (24, 16)


def test_nothing_follows_the_last_layer_so_latents_have_both_signs(rows):
    latents = _network(24, 16, 4).encode(rows)
    assert latents.shape == (len(rows), 4)
    assert latents.min() < 0 < latents.max()


def test_a_row_has_the_same_latent_alone_as_among_others(rows):
    network = _network(24, 96, 32, 7)
    together = network.encode(rows)
    for place in (0, 1, PADDED_ROWS - 1, PADDED_ROWS, len(rows) - 1):
        assert torch.equal(network.encode(rows[place : place + 1])[0], together[place])
        assert torch.equal(network.decode(together[place : place + 1])[0], network.decode(together)[place])


def test_no_rows_have_no_latents():
    assert _network(24, 4).encode(torch.zeros(0, 24)).shape == (0, 4)


def test_arrays_bring_the_network_back_in_whatever_order_they_are_listed(rows):
    network = _network(24, 20, 18, 16, 14, 12, 10, 8, 4)
    arrays = dict(sorted(network.arrays().items(), reverse=True))
    again = Autoencoder.from_arrays(arrays | {"codebook.0": np.zeros((2, 4), np.float32)})
    assert torch.equal(again.encode(rows), network.encode(rows))
    assert torch.equal(again.decode(again.encode(rows)), network.decode(network.encode(rows)))


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(1)
    first = torch.rand(3)
    torch.manual_seed(1)
    one, other = _network(24, 4, seed=2).arrays(), _network(24, 4, seed=2).arrays()
    assert torch.equal(torch.rand(3), first)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_weights_are_as_large_as_glorot_and_bengio_say():
    weights = _network(300, 100).arrays()["encoder.0.weight"]
    assert weights.std() == pytest.approx((2 / 400) ** 0.5, rel=0.02)
