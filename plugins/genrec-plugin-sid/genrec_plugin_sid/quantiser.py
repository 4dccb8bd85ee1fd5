"""Quantiser: what a tokenizer learns about vectors, and keeps to name new items.

A quantiser moves vectors to a latent space (`latents`), where residuals start, and has a codebook for every
level there. A vector's codes are found greedily: take the nearest entry, subtract it, go on
(`residual.encode`, one function for all quantisers). `decode` goes back: the sum of the entries that codes
name, as a vector of the encoder's space. How codebooks are learnt is a matter of the tokenizer.

    codebooks {0, 10} and {−1, 1}:  9 → (1, 0) → 10 − 1 = 9,  −1 → (0, 0),  10.4 → (1, 1) → 11
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Codebooks = tuple[NDArray[np.float32], ...]
"""One float32 [K_l, d'] a level; d' is the width of the latent space."""

FittedArrays = Mapping[str, NDArray[Any]]
"""Fitted arrays by name, as identifiers keep them."""


class Quantiser(Protocol):
    """Frozen codebooks, with the way into and out of the space they lie in."""

    @property
    def codebooks(self) -> Codebooks:
        """One a level."""

    def latents(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where residuals start: float32 [N, d] → [N, d'], each row by itself."""

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """The vectors that codes (int32 [N, levels]) stand for, float32 [N, d] in the encoder's space."""

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep. Names `encoder.…` are the tokenizer's own."""

    def settings(self) -> dict[str, Any]:
        """JSON values that belong to the arrays."""


@dataclass(frozen=True)
class Learnt:
    """What learning gives: a quantiser, and codes int32 [N, levels] of the items it was learnt from.

    The codes need not be the greedy ones: balanced clusters have bounds to keep.
    """

    quantiser: Quantiser
    codes: NDArray[np.int32]


def codebook_state(codebooks: Codebooks) -> dict[str, NDArray[Any]]:
    """Codebooks as named arrays; `codebooks_of` reads them back."""
    return {f"codebook.{level}": book for level, book in enumerate(codebooks)}


def codebooks_of(state: FittedArrays) -> Codebooks:
    """The codebooks that `codebook_state` named."""
    levels = sum(name.startswith("codebook.") for name in state)
    return tuple(state[f"codebook.{level}"] for level in range(levels))


def entries(codebooks: Codebooks, codes: NDArray[np.int32]) -> NDArray[np.float32]:
    """The latent vectors that codes stand for: the sum of one entry a level, float32 [N, d']."""
    latents = np.zeros((len(codes), codebooks[0].shape[1]), dtype=np.float32)
    for level, book in enumerate(codebooks):
        latents += book[codes[:, level]]
    return latents


def unexplained(
    latents: NDArray[np.float32], codebooks: Codebooks, codes: NDArray[np.int32]
) -> Sequence[float]:
    """After each level, the share of the latents' variance that its codes have not explained."""
    residuals = latents - latents.mean(axis=0, dtype=np.float64).astype(np.float32)
    variance = float(np.square(residuals, dtype=np.float64).sum()) or 1.0
    residuals = latents.copy()
    shares = []
    for level, book in enumerate(codebooks):
        residuals -= book[codes[:, level]]
        shares.append(float(np.square(residuals, dtype=np.float64).sum()) / variance)
    return shares


def distinct_rows(matrix: NDArray[np.float32]) -> int:
    """How many different rows a matrix has, compared bit by bit (−0 and 0 are the same)."""
    plain = np.ascontiguousarray(matrix + np.float32(0))
    rows = plain.view(np.dtype((np.void, plain.dtype.itemsize * plain.shape[1])))[:, 0]
    return len(np.unique(rows))
