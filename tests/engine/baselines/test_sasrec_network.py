"""SASRec's network and its dropout."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from genrec_core.engine.baselines.sasrec_network import SASRecNetwork
from genrec_core.engine.baselines.settings import SASRecSettings
from genrec_core.engine.models.layers import ByteDropout, dropped

N = 11


def test_dropout_keeps_the_mean_and_drops_the_rounded_share():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kept = dropped(torch.ones(1001, 1001), 0.3)
    assert (kept == 0).float().mean().item() == pytest.approx(77 / 256, abs=2e-3)
    assert kept.mean().item() == pytest.approx(1.0, abs=5e-3)
    assert kept.unique().tolist() == pytest.approx([0.0, 256 / 179])


def test_dropout_does_nothing_at_rate_zero_or_when_not_training():
    states = torch.randn(3, 5)
    assert torch.equal(dropped(states, 0.0), states)
    assert torch.equal(ByteDropout(0.5).eval()(states), states)


def network(**options) -> SASRecNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SASRecNetwork(N, 8, SASRecSettings(factors=8, heads=2, **options))


def after(model: SASRecNetwork, *ids: int, length: int) -> torch.Tensor:
    return model(model.items(torch.tensor([ids])), torch.tensor([length]))


def test_no_position_sees_a_later_item_or_the_padding():
    model = network().eval()
    whole, changed = after(model, 1, 2, 3, 4, length=4), after(model, 1, 2, 3, 9, length=4)
    assert torch.allclose(whole[:, :3], changed[:, :3], atol=1e-5)
    assert not torch.allclose(whole[:, 3], changed[:, 3], atol=1e-5)
    assert torch.allclose(whole, after(model, 1, 2, 3, 4, 0, 7, length=4)[:, :4], atol=1e-5)


def test_training_and_evaluation_attend_alike_when_next_to_nothing_is_dropped():
    model = network(dropout=0.001)
    training, evaluation = (after(m(), 1, 2, 3, 4, length=4) for m in (model.train, model.eval))
    assert torch.allclose(training, evaluation, atol=1e-5)


def test_scores_are_cosines_over_the_temperature_or_plain_products():
    cosine, plain = network(temperature=0.1).eval(), network(temperature=None).eval()
    state = after(plain, 1, 2, length=2)[0, 1]
    expected = 10 * functional.cosine_similarity(state, plain.items.weight)
    found = after(cosine, 1, 2, length=2)[0, 1] @ cosine.outputs(cosine.items.weight).T
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.equal(plain.outputs(plain.items.weight), plain.items.weight)
