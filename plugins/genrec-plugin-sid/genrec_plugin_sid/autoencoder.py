"""Autoencoder: two multi-layer perceptrons, from embeddings to latents and back (SIDReasoner eq. 3).

The encoder narrows an embedding to a latent that codebooks can cover, the decoder mirrors it. ReLU between
layers, none after the last, weights drawn as Glorot and Bengio do, biases zero: the shape that public RQ-VAE
code for recommendation has.

Rows are encoded in blocks of one size, the last filled up with zeros. Matrix products take other kernels
for other row counts and then differ in the last bit, so a new item that comes alone would otherwise not be
sure to get the latent, and hence the codes, that it gets among thousands.

    width 384, hidden (256, 128), latent 32:  384 → 256 → 128 → 32  and  32 → 128 → 256 → 384
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

PADDED_ROWS = 512
"""Rows of a block outside training."""


class Autoencoder(nn.Module):
    """An encoder [N, width] → [N, latent] and a decoder back."""

    def __init__(self, widths: Sequence[int]) -> None:
        """`widths` runs from the embedding to the latent, both included; weights are still unset."""
        super().__init__()
        self.encoder = _perceptron(widths)
        self.decoder = _perceptron(widths[::-1])

    @classmethod
    def fresh(cls, widths: Sequence[int], generator: np.random.Generator) -> Autoencoder:
        """One to be trained: weights N(0, 2 / (inputs + outputs)), biases zero."""
        network = cls(widths)
        with torch.no_grad():
            for weight in network.parameters():
                drawn = (
                    generator.standard_normal(weight.shape) if weight.ndim == 2 else np.zeros(weight.shape)
                )
                weight.copy_(torch.from_numpy(drawn * math.sqrt(2 / sum(weight.shape))))
        return network

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Autoencoder:
        """The network that `arrays()` described, bit for bit; other entries are passed over."""
        shapes = [array.shape for name, array in _in_order(arrays, "encoder.") if name.endswith(".weight")]
        network = cls([shapes[0][1], *(shape[0] for shape in shapes)])
        network.load_state_dict(
            {name: torch.from_numpy(np.array(arrays[name])) for name in network.state_dict()}
        )
        return network

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Weights by name, as they are kept in a safetensors file."""
        return {name: weight.cpu().numpy().copy() for name, weight in self.state_dict().items()}

    @torch.inference_mode()
    def encode(self, points: Tensor) -> Tensor:
        """Latents float32 [N, latent]; a row's latent does not depend on the others."""
        return _in_blocks(self.encoder, points)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Reconstructions float32 [N, width]; a row's does not depend on the others."""
        return _in_blocks(self.decoder, latents)


def _perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them, unset: torch's own start would draw from its global generator."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after, device="meta").to_empty(device="cpu"), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _in_blocks(network: nn.Module, rows: Tensor) -> Tensor:
    missing = -len(rows) % PADDED_ROWS
    padded = torch.cat([rows, rows.new_zeros(missing, rows.shape[1])])
    blocks = [network(padded[start : start + PADDED_ROWS]) for start in range(0, len(padded), PADDED_ROWS)]
    return torch.cat(blocks)[: len(rows)] if blocks else network(rows)


def _in_order(arrays: Mapping[str, NDArray[Any]], prefix: str) -> list[tuple[str, NDArray[Any]]]:
    """Entries of one perceptron by layer: a file may list them in any order."""
    mine = [(name, array) for name, array in arrays.items() if name.startswith(prefix)]
    return sorted(mine, key=lambda entry: int(entry[0].split(".")[1]))
