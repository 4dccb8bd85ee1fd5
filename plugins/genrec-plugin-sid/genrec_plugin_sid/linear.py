"""Quantiser whose latent space is the encoder's own, with the mean taken off.

K-means does not notice where the origin is, but float32 distances between vectors that share a large common
part lose digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_plugin_sid.quantiser import Arrays, Codebooks, codebook_state, codebooks_of, entries


@dataclass(frozen=True)
class LinearQuantiser:
    """Codebooks over centred vectors; a `Quantiser`.

    Attributes:
        mean: float32 [d], taken off every vector first.
        codebooks: one float32 [K_l, d] a level.
    """

    mean: NDArray[np.float32]
    codebooks: Codebooks

    def latents(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors around the origin, float32 [N, d]."""
        return vectors - self.mean

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """The vectors that codes stand for, float32 [N, d]."""
        return entries(self.codebooks, codes) + self.mean

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep; `from_state` reads them back."""
        return {"mean": self.mean} | codebook_state(self.codebooks)

    def settings(self) -> dict[str, Any]:
        """Nothing: the arrays say all."""
        return {}

    @classmethod
    def from_state(cls, state: Arrays) -> LinearQuantiser:
        """The quantiser that `state()` described."""
        return cls(state["mean"], codebooks_of(state))
