"""Residual codebooks by hand: codes, straight-through gradients, and each loss (SIDReasoner eqs. 2, 4, 5)."""

from __future__ import annotations

import pytest
import torch
from genrec_plugin_sid.residual_codebooks import ResidualCodebooks


def _column(*values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


@pytest.fixture
def books():
    """The codebooks of the example in the module."""
    return ResidualCodebooks([_column(0, 10), _column(-1, 1)])


def test_the_example_in_the_module_holds(books):
    found = books(_column(8))
    assert found.codes.tolist() == [[1, 0]]
    assert [level.tolist() for level in found.residuals] == [[[8]], [[-2]]]
    assert found.latents.tolist() == [[9]]
    assert found.codebook_loss.item() == found.commitment_loss.item() == 4 + 1


def test_losses_are_sums_over_levels_and_means_over_the_batch(books):
    found = books(_column(8, 10.5))
    assert found.codebook_loss.item() == pytest.approx((4 + 1 + 0.25 + 0.25) / 2)


def test_losses_add_up_over_dimensions():
    books = ResidualCodebooks([torch.zeros(1, 3)])
    assert books(torch.tensor([[1.0, 2.0, 3.0]])).commitment_loss.item() == 14


def test_what_the_decoder_asks_of_its_input_reaches_the_latents_unchanged(books):
    latents = _column(8, 3).requires_grad_()
    torch.autograd.backward((books(latents).latents * _column(5, -2)).sum())
    assert latents.grad.tolist() == [[5], [-2]]
    assert books.levels[0].grad is None


def test_the_codebook_loss_moves_chosen_codes_only_and_no_latent(books):
    latents = _column(8).requires_grad_()
    torch.autograd.backward(books(latents).codebook_loss)
    assert books.levels[0].grad.tolist() == [[0], [2 * (10 - 8)]]
    assert books.levels[1].grad.tolist() == [[2 * (-1 + 2)], [0]]
    assert latents.grad is None


def test_the_commitment_loss_of_every_level_moves_latents_and_no_code(books):
    latents = _column(8).requires_grad_()
    torch.autograd.backward(books(latents).commitment_loss)
    assert latents.grad.tolist() == [[2 * (8 - 10) + 2 * (-2 + 1)]]
    assert books.levels[0].grad is None
    assert books.levels[1].grad is None


def test_the_choice_of_codes_is_given_from_outside(books):
    found = books(_column(8), lambda level, residuals, codebook: torch.full((1,), level))
    assert found.codes.tolist() == [[0, 1]]
    assert found.latents.tolist() == [[1]]
