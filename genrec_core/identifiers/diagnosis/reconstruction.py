"""Reconstruction: how much of the embeddings the codes keep.

unexplained = Σ |x − x̂|² / Σ |x − mean|²:  0 is perfect, 1 is no better than one code for all
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.tokenizer import Reconstruction


@dataclass(frozen=True)
class Reconstructed:
    """The error that codes leave.

    Attributes:
        unexplained: share of the variance that is lost.
        error: mean squared error of a vector, |x − x̂|².
    """

    unexplained: float
    error: float


def reconstructed(pair: Reconstruction) -> Reconstructed:
    """The error between what was quantised and what the codes stand for.

    Raises:
        ContractError: the two are no matrices of one shape.
    """
    if pair.seen.ndim != 2 or pair.seen.shape != pair.decoded.shape:
        raise ContractError(
            f"`reconstruct` gave vectors of shape `{pair.seen.shape}` and `{pair.decoded.shape}`",
            hint="both have a row for each item and the same columns",
        )
    seen = pair.seen.astype(np.float64)
    error = float(np.square(seen - pair.decoded).sum())
    variance = float(np.square(seen - seen.mean(axis=0)).sum())
    return Reconstructed(error / variance if variance else 0.0, error / max(len(seen), 1))
