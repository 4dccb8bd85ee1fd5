"""Training: the best epoch is kept, codes stay in use, every option does what it says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from genrec_plugin_sid.rq_vae_training import Recipe, train

from genrec_core import Context, GenrecError

RECIPE = Recipe(
    sizes=(8, 8),
    widths=(16, 32, 8),
    beta=0.25,
    start="kmeans",
    update="gradient",
    decay=0.9,
    reset=1,
    sinkhorn=(0.0, 0.0),
    learning_rate=3e-3,
    weight_decay=0.0,
    batch_size=32,
    epochs=8,
    held_out=0.2,
    patience=20,
)


class Log:
    """Remembers what training said about its epochs."""

    def __init__(self):
        self.epochs = []

    def __call__(self, event, **values):
        self.epochs.append(values)

    def of(self, name):
        return [epoch[name] for epoch in self.epochs]


@pytest.fixture
def points(cloud):
    """The cloud, centred, mean squared length one."""
    centred = torch.from_numpy(cloud - cloud.mean(axis=0))
    return centred / centred.square().sum(dim=1).mean().sqrt()


def _train(points, *, seed=0, log=None, **changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    return train(points, recipe, Context(seed=seed, log=log or Log()))


def _error(trained, points):
    latents = trained.codebooks(trained.network.encode(points)).latents
    return float((trained.network.decode(latents) - points).square().sum() / points.square().sum())


def test_training_lowers_the_error_of_vectors_it_never_saw(points):
    log = Log()
    trained = _train(points, log=log, epochs=30)
    assert log.of("held_out")[0] > 2 * trained.error
    assert trained.error < 0.5


def test_the_best_epoch_is_given_back_and_training_stops_when_none_gets_better(points):
    log = Log()
    trained = _train(points, log=log, epochs=200, patience=3, learning_rate=2e-2)
    errors = log.of("held_out")
    assert trained.epoch == 1 + int(np.argmin(errors))
    assert trained.error == min(errors)
    assert len(errors) == trained.epoch + 3 < 200


def test_the_weights_given_back_are_those_of_the_best_epoch(points):
    long = _train(points, epochs=200, patience=3, learning_rate=2e-2)
    short = _train(points, epochs=long.epoch, patience=3, learning_rate=2e-2)
    assert short.epoch == long.epoch
    for one, other in zip(long.network.parameters(), short.network.parameters(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(long.codebooks.parameters(), short.codebooks.parameters(), strict=True):
        assert torch.equal(one, other)


def test_with_nothing_held_out_all_vectors_train_and_the_last_epoch_is_kept(points):
    log = Log()
    trained = _train(points, log=log, held_out=0.0, patience=1, learning_rate=2e-2)
    assert len(log.epochs) == trained.epoch == RECIPE.epochs
    assert trained.error == pytest.approx(_error(trained, points), rel=1e-4)


def test_the_same_seed_trains_the_same_and_another_seed_does_not(points):
    one, same, other = (_train(points, seed=seed, epochs=2) for seed in (1, 1, 2))
    assert torch.equal(one.codebooks.levels[1], same.codebooks.levels[1])
    assert not torch.equal(one.codebooks.levels[1], other.codebooks.levels[1])


def test_losses_and_use_are_logged_every_epoch(points):
    log = Log()
    _train(points, log=log, epochs=2)
    assert log.of("epoch") == [1, 2]
    for name in ("reconstruction", "codebook", "commitment"):
        assert all(value > 0 for value in log.of(name))
    for perplexity, used in zip(log.of("perplexity")[1], log.of("used")[1], strict=True):
        assert 1 <= perplexity <= used <= 8


@pytest.mark.parametrize("start", ["random", "kmeans"])
def test_codes_that_nobody_takes_stay_dead_unless_they_are_reset(points, start):
    left, revived = Log(), Log()
    _train(points, log=left, start=start, sizes=(64, 64), reset=0, epochs=15)
    _train(points, log=revived, start=start, sizes=(64, 64), reset=1, epochs=15)
    assert left.of("used")[-1][0] < 32 < 48 < revived.of("used")[-1][0]


def test_moving_averages_learn_codes_that_no_gradient_reaches(points):
    trained = _train(points, update="ema", epochs=30)
    start = _train(points, update="ema", epochs=1)
    assert trained.error < start.error
    assert not torch.equal(trained.codebooks.levels[0], start.codebooks.levels[0])


def test_sinkhorn_makes_use_of_codes_nearly_uniform_where_it_is_switched_on(points):
    plain, even = Log(), Log()
    lopsided = torch.cat([points[:160] * 0.3, points[160:]])
    _train(lopsided, log=plain, batch_size=160)
    _train(lopsided, log=even, batch_size=160, sinkhorn=(0.02, 0.0))
    assert even.of("perplexity")[-1][0] > 7.6 > 7 > plain.of("perplexity")[-1][0]


def test_a_heavier_commitment_keeps_latents_nearer_their_codes(points):
    def distance(beta):
        trained = _train(points, beta=beta, epochs=20)
        latents = trained.network.encode(points)
        return float(trained.codebooks(latents).commitment_loss / latents.square().sum(dim=1).mean())

    assert distance(4.0) < distance(0.0)


def test_weight_decay_shrinks_the_network_and_not_the_codes(points):
    def sizes(decay):
        trained = _train(points, weight_decay=decay, epochs=1, start="random", reset=0)
        unused = trained.codebooks.levels[0].abs().max()
        return trained.network.encoder[0].weight.norm().item(), unused.item()

    (free, code), (decayed, same_code) = sizes(0.0), sizes(5.0)
    assert decayed < free
    assert same_code == pytest.approx(code, rel=0.5)


def test_training_that_diverges_is_an_error_that_says_when(points):
    with pytest.raises(GenrecError, match="diverged in epoch 1 with `learning_rate: 1e\\+30`"):
        _train(points, learning_rate=1e30)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_very_few_vectors_are_trained_on_too(points, count):
    trained = _train(points[:count], sizes=(1, 1), epochs=3)
    assert trained.codebooks(trained.network.encode(points[:count])).codes.tolist() == [[0, 0]] * count


def test_vectors_that_are_all_alike_train_without_a_division_by_nothing():
    trained = _train(torch.zeros(20, 16), epochs=3)
    assert np.isfinite(trained.error)
