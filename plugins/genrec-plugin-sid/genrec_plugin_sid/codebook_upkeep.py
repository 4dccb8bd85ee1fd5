"""Codebook upkeep: codes that follow their residuals without gradients, and codes that nobody uses.

*Moving averages* (van den Oord et al. 2017, appendix A.1). A code is the mean of the residuals that chose it,
old ones counting less. With n of this batch and N of those before, decayed by γ:

    N' = γN + (1 − γ)n        e' = e + (1 − γ)(Σ r − n e) / N'

which is the usual pair of averages written as one step, so that nothing underflows at a code never chosen.

*Revival.* A code that no vector took for some whole epochs starts again at some vector's residual. Without
that, a code that begins far from all latents never gets a gradient and never comes back.

    e = 2, N = 1, γ = 0.5, residuals 4 and 6:  N' = 1.5,  e' = 2 + 0.5 (10 − 4) / 1.5 = 4
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec_plugin_sid.residual_codebooks import Quantised, ResidualCodebooks

LEAST_WEIGHT = 1e-6
"""A code long unused keeps so much of its past; below, float32 would lose it altogether."""


class MovingMeans:
    """Moves every code towards the mean of the residuals that choose it."""

    def __init__(self, codebooks: ResidualCodebooks, decay: float) -> None:
        self.codebooks = codebooks
        self.decay = decay
        self.weights = [torch.ones(len(book), device=book.device) for book in codebooks.levels]

    @torch.no_grad()
    def update(self, batch: Quantised) -> None:
        """One step, in place."""
        for level, (book, residuals) in enumerate(zip(self.codebooks.levels, batch.residuals, strict=True)):
            codes, weights = batch.codes[:, level], self.weights[level]
            counts = torch.bincount(codes, minlength=len(book)).to(book.dtype)
            weights.mul_(self.decay).add_(counts, alpha=1 - self.decay).clamp_(min=LEAST_WEIGHT)
            sums = torch.zeros_like(book).index_add_(0, codes, residuals)
            book.add_((sums - counts[:, None] * book) * ((1 - self.decay) / weights)[:, None])

    def forget(self, level: int, codes: Tensor) -> None:
        """Treat these codes as new."""
        self.weights[level][codes] = 1


class CodeUsage:
    """Counts how vectors use the codes of every level, epoch by epoch."""

    def __init__(self, codebooks: ResidualCodebooks) -> None:
        self.codebooks = codebooks
        self.counts = [
            torch.zeros(len(book), dtype=torch.long, device=book.device) for book in codebooks.levels
        ]
        self.idle = [torch.zeros_like(counts) for counts in self.counts]

    def begin_epoch(self) -> None:
        """Count anew."""
        for counts in self.counts:
            counts.zero_()

    def see(self, batch: Quantised) -> None:
        """Count a batch."""
        for level, counts in enumerate(self.counts):
            counts += torch.bincount(batch.codes[:, level], minlength=len(counts))

    def end_epoch(self) -> None:
        """Note for how many epochs each code has gone unused."""
        for counts, idle in zip(self.counts, self.idle, strict=True):
            idle.add_(1).mul_(counts == 0)

    def used(self) -> list[int]:
        """Codes of each level that some vector took this epoch."""
        return [int((counts > 0).sum()) for counts in self.counts]

    def perplexity(self) -> list[float]:
        """Exp of the entropy of use at each level: K if all codes are used alike, 1 if only one is."""
        shares = [counts.double() / counts.sum().clamp(min=1) for counts in self.counts]
        return [float((-torch.xlogy(share, share).sum()).exp()) for share in shares]

    def dead(self, level: int, epochs: int) -> Tensor:
        """Codes of a level unused for so many epochs, int64 [n]."""
        return (self.idle[level] >= epochs).nonzero()[:, 0]

    @torch.no_grad()
    def revive(self, level: int, dead: Tensor, residuals: Tensor, generator: np.random.Generator) -> Tensor:
        """Put dead codes at different residuals (float32 [B, d]), B of them at most; the codes revived."""
        drawn = generator.permutation(len(residuals))[: len(dead)]
        revived = dead[: len(drawn)]
        self.codebooks.levels[level][revived] = residuals[torch.from_numpy(drawn).to(residuals.device)]
        self.idle[level][revived] = 0
        return revived
