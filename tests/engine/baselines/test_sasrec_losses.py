"""SASRec's losses, dropout and network, against plain formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from genrec_core.engine.baselines.byte_dropout import ByteDropout, dropped
from genrec_core.engine.baselines.sasrec_losses import bce_loss, sampled_softmax_loss, softmax_loss
from genrec_core.engine.baselines.sasrec_network import SASRecNetwork
from genrec_core.engine.baselines.settings import SASRecSettings

N, P, D = 11, 6, 4


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(P, D, generator=generator)
    table = torch.randn(N, D, generator=generator)
    return states, torch.randint(0, N, (P,), generator=generator), table


def test_sampled_softmax_over_every_item_is_the_full_softmax(drawn):
    states, targets, table = drawn
    everything = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    sampled = sampled_softmax_loss(states, targets, table[targets], everything, table[everything])
    assert sampled.item() == pytest.approx(softmax_loss(states, targets, table).item(), rel=1e-6)


def test_a_drawn_item_that_is_the_target_is_left_out(drawn):
    states, targets, table = drawn
    targets = torch.full_like(targets, 3)
    other = sampled_softmax_loss(states, targets, table[targets], torch.tensor([5]), table[[5]])
    both = sampled_softmax_loss(states, targets, table[targets], torch.tensor([3, 5]), table[[3, 5]])
    assert both.item() == pytest.approx(other.item())


def test_bce_is_a_binary_decision_for_each_target_and_each_allowed_item(drawn):
    states, targets, table = drawn
    negatives = torch.tensor([[0, 1]] * P)
    allowed = torch.ones(P, 2, dtype=torch.bool)
    allowed[0, 1] = False
    logits = [states[p] @ table[targets[p]] for p in range(P)]
    labels = [1.0] * P
    for p in range(P):
        for place in range(2):
            if allowed[p, place]:
                logits.append(states[p] @ table[negatives[p, place]])
                labels.append(0.0)
    expected = functional.binary_cross_entropy_with_logits(torch.stack(logits), torch.tensor(labels))
    found = bce_loss(states, table[targets], table[negatives], allowed)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


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


def test_no_position_sees_a_later_item_or_the_padding():
    model = network().eval()
    whole, changed, padded = (
        model(model.items(torch.tensor([ids]))) for ids in ([1, 2, 3, 4], [1, 2, 3, 9], [1, 2, 3, 4, 0, 7])
    )
    assert torch.allclose(whole[:, :3], changed[:, :3], atol=1e-5)
    assert not torch.allclose(whole[:, 3], changed[:, 3], atol=1e-5)
    assert torch.allclose(whole, padded[:, :4], atol=1e-5)


def test_training_and_evaluation_attend_alike_when_next_to_nothing_is_dropped():
    model = network(dropout=0.001)
    embedded = model.items(torch.tensor([[1, 2, 3, 4]]))
    assert torch.allclose(model.train()(embedded), model.eval()(embedded), atol=1e-5)


def test_scores_are_cosines_over_the_temperature_or_plain_products():
    cosine, plain = network(temperature=0.1).eval(), network(temperature=None).eval()
    embedded = plain.items(torch.tensor([[1, 2]]))
    expected = 10 * functional.cosine_similarity(plain(embedded)[0, 1], plain.items.weight)
    found = cosine(embedded)[0, 1] @ cosine.outputs(cosine.items.weight).T
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.equal(plain.outputs(embedded), embedded)
