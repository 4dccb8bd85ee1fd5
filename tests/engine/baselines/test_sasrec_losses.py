"""SASRec's losses against plain formulas."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from genrec_core.engine.baselines.sasrec_losses import bce_loss, sampled_softmax_losses, softmax_loss

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
    sampled = sampled_softmax_losses(states, targets, table[targets], everything, table[everything])
    assert sampled.mean().item() == pytest.approx(softmax_loss(states, targets, table).item(), rel=1e-6)


def test_a_drawn_item_that_is_the_target_is_left_out(drawn):
    states, targets, table = drawn
    targets = torch.full_like(targets, 3)
    other = sampled_softmax_losses(states, targets, table[targets], torch.tensor([5]), table[[5]])
    both = sampled_softmax_losses(states, targets, table[targets], torch.tensor([3, 5]), table[[3, 5]])
    assert both.tolist() == pytest.approx(other.tolist())


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
