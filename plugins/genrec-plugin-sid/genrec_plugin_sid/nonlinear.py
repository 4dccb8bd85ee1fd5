"""A nonlinear quantiser: codebooks in the latent space of an autoencoder.

Vectors are centred and scaled to a mean squared length of one before they meet the network: sentence
embeddings have length one but share a large mean, n-gram embeddings have any length, and training should
not depend on either. The mean and the scale are kept with the weights.

    mean 100, scale 2, identity network, codebooks {0, 10} and {−1, 1}:  118 → 9 → (1, 0) → 9 → 118
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec_plugin_sid.autoencoder import Autoencoder
from genrec_plugin_sid.quantiser import Codebooks, FittedArrays, codebook_state, codebooks_of, entries

NETWORK = "network."
"""The network's arrays are named with this in front."""


@dataclass(frozen=True)
class Scaling:
    """What is done to vectors first, and undone last.

    Attributes:
        mean: float32 [d], taken off.
        scale: float32 [], divided by; never 0.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Scaling:
        """Centres these vectors (float32 [N, d]) and makes their mean squared length one."""
        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = vectors - mean
        squared = np.einsum("nd,nd->", centred, centred, dtype=np.float64) / len(vectors)
        return cls(mean, np.array(np.sqrt(squared) or 1.0, dtype=np.float32))

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors as the network sees them."""
        return np.asarray((vectors - self.mean) / self.scale, dtype=np.float32)

    def undo(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of the encoder's space again."""
        return np.asarray(points * self.scale + self.mean, dtype=np.float32)


@dataclass(frozen=True)
class NonlinearQuantiser:
    """Codebooks behind a network.

    Attributes:
        scaling: see there.
        network: on the CPU, so that codes do not depend on what it was trained on.
        codebooks: float32 [K_l, latent] a level.
    """

    scaling: Scaling
    network: Autoencoder
    codebooks: Codebooks

    def latents(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's latents; a vector's do not depend on what it comes with."""
        return self.network.encode(torch.from_numpy(self.scaling.apply(vectors))).numpy()

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """The network's reconstruction of the sum of entries."""
        points = self.network.decode(torch.from_numpy(entries(self.codebooks, codes)))
        return self.scaling.undo(points.numpy())

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep; `from_state` reads them back."""
        weights = {NETWORK + name: array for name, array in self.network.arrays().items()}
        scaling = {"mean": self.scaling.mean, "scale": self.scaling.scale}
        return scaling | weights | codebook_state(self.codebooks)

    def settings(self) -> dict[str, Any]:
        """Nothing: the arrays say it all."""
        return {}

    @classmethod
    def from_state(cls, state: FittedArrays) -> NonlinearQuantiser:
        """The quantiser that `state()` described."""
        weights = {name.removeprefix(NETWORK): a for name, a in state.items() if name.startswith(NETWORK)}
        scaling = Scaling(state["mean"], state["scale"])
        return cls(scaling, Autoencoder.from_arrays(weights), codebooks_of(state))
