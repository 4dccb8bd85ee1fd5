"""Residual codebooks in training: quantise, pass gradients straight through, and two losses a level.

SIDReasoner eqs. 2, 4 and 5. Level l takes the code of its residual r_l and hands on r_{l+1} = r_l − e_l; the
latent is replaced by the sum of its codes, Σ e_l. With sg for "no gradient flows here":

    codebook loss    Σ_l ‖sg[r_l] − e_l‖²    moves codes to the residuals that chose them
    commitment loss  Σ_l ‖r_l − sg[e_l]‖²    keeps the encoder near the codes it chose

Each is a mean over the batch. The decoder's gradient reaches the encoder as if nothing had been quantised.

One thing the paper leaves open: r_{l+1} depends on e_l, so a later level's commitment could move the codes of
an earlier one. Here it does not: codes learn from their own residuals alone. (Public code goes the other
way and lets only the first level's commitment reach the encoder, by a straight-through step a level.)

    codebooks {0, 10} and {−1, 1}, latent 8 → residuals 8 and −2, codes 1 and 0, quantised 9, losses 4 + 1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genrec_plugin_sid.clusters import nearest

Choice = Callable[[int, Tensor, Tensor], Tensor]
"""(level, residuals [B, d], codebook [K, d]) → codes int64 [B]."""


def nearest_code(level: int, residuals: Tensor, codebook: Tensor) -> Tensor:
    """The nearest code, ties to the lower."""
    return nearest(residuals, codebook)[0]


@dataclass(frozen=True)
class Quantised:
    """What became of a batch of latents.

    Attributes:
        codes: int64 [B, levels].
        latents: float32 [B, d], sums of codes; gradients pass straight to the latents that went in.
        residuals: what each level was given, float32 [B, d] each, without gradient.
        codebook_loss, commitment_loss: see the module; scalars.
    """

    codes: Tensor
    latents: Tensor
    residuals: tuple[Tensor, ...]
    codebook_loss: Tensor
    commitment_loss: Tensor


class ResidualCodebooks(nn.Module):
    """One codebook a level, float32 [K_l, d]."""

    def __init__(self, codebooks: Sequence[Tensor]) -> None:
        super().__init__()
        self.levels = nn.ParameterList(nn.Parameter(codebook.clone()) for codebook in codebooks)

    def forward(self, latents: Tensor, choose: Choice = nearest_code) -> Quantised:
        """Quantise `latents`, float32 [B, d]."""
        left, codes, residuals = latents, [], []
        codebook_loss = commitment_loss = latents.new_zeros(())
        for level, codebook in enumerate(self.levels):
            residuals.append(left.detach())
            codes.append(choose(level, left.detach(), codebook.detach()))
            chosen = codebook[codes[-1]]
            codebook_loss = codebook_loss + _squared(left.detach() - chosen)
            left = left - chosen.detach()
            commitment_loss = commitment_loss + _squared(left)
        # `left` is what no level explained: taking it off, unseen by the gradient, leaves the sum of codes.
        return Quantised(
            torch.stack(codes, dim=1),
            latents - left.detach(),
            tuple(residuals),
            codebook_loss,
            commitment_loss,
        )


def _squared(differences: Tensor) -> Tensor:
    """Squared length of each row, meaned over the batch."""
    return differences.square().sum(dim=1).mean()
