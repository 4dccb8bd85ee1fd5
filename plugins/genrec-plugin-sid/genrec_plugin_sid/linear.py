"""Quantiser in a linear view of the encoder's space: moved to the mean, turned to principal axes, scaled.

Taking the mean off changes no cluster, but float32 distances between vectors that share a large common part
lose digits. Principal axes keep the directions in which items differ most and drop the rest, which is faster
and sometimes less noisy; whitened, each of them counts alike.

    vectors (0, 0), (4, 0), (4, 2), (8, 2), one component → latents about −4.12, −0.26, 0.26, 4.12
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core import GenrecError
from genrec_plugin_sid.quantiser import Codebooks, FittedArrays, codebook_state, codebooks_of, entries

CENTRED_ROWS = 65_536
"""Vectors turned to float64 at once."""


@dataclass(frozen=True)
class Frame:
    """Where k-means looks at vectors from.

    Attributes:
        mean: float32 [d], the new origin.
        axes: float32 [c, d], orthogonal directions of length one; None for the axes there are.
        scales: float32 [c], what each axis is divided by; None for nothing.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32] | None = None
    scales: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, vectors: NDArray[np.float32], *, center: bool, components: int | None, whiten: bool) -> Frame:
        """The frame of these vectors (float32 [N, d]).

        Raises:
            GenrecError: the vectors do not differ in as many directions as `components` asks for.
        """
        width = vectors.shape[1]
        mean = vectors.mean(axis=0, dtype=np.float64) if center else np.zeros(width)
        origin = mean.astype(np.float32)
        if components is None:
            return cls(origin)
        axes, variances = _principal(vectors, mean)
        # A direction that float32 rounding alone could make is none.
        real = int((variances > variances[0] * width * np.finfo(np.float32).eps).sum())
        if components > real:
            raise GenrecError(
                f"`components: {components}` asks for more directions than the {len(vectors):,} embeddings "
                f"differ in, which is `{real}`",
                hint="write a smaller number, or leave `components` out",
            )
        scales = np.sqrt(variances[:components]).astype(np.float32) if whiten else None
        return cls(origin, axes[:components].astype(np.float32), scales)

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors seen from here: float32 [N, d] → [N, c]."""
        seen = vectors - self.mean
        if self.axes is not None:
            seen = seen @ self.axes.T
        return seen if self.scales is None else seen / self.scales

    def undo(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Back from here, without what the axes dropped: float32 [N, c] → [N, d]."""
        vectors = seen if self.scales is None else seen * self.scales
        if self.axes is not None:
            vectors = vectors @ self.axes
        return vectors + self.mean

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep."""
        arrays = {"mean": self.mean, "axes": self.axes, "scales": self.scales}
        return {name: array for name, array in arrays.items() if array is not None}


@dataclass(frozen=True)
class LinearQuantiser:
    """Codebooks over vectors seen from a frame; a `Quantiser`.

    Attributes:
        frame: the view.
        codebooks: one float32 [K_l, c] a level.
    """

    frame: Frame
    codebooks: Codebooks

    def latents(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors seen from the frame, float32 [N, c]."""
        return self.frame.apply(vectors)

    def decode(self, codes: NDArray[np.int32]) -> NDArray[np.float32]:
        """The vectors that codes stand for, float32 [N, d]."""
        return self.frame.undo(entries(self.codebooks, codes))

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep; `from_state` reads them back."""
        return self.frame.state() | codebook_state(self.codebooks)

    def settings(self) -> dict[str, Any]:
        """Nothing: the arrays say all."""
        return {}

    @classmethod
    def from_state(cls, state: FittedArrays) -> LinearQuantiser:
        """The quantiser that `state()` described."""
        frame = Frame(state["mean"], state.get("axes"), state.get("scales"))
        return cls(frame, codebooks_of(state))


def _principal(
    vectors: NDArray[np.float32], mean: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Principal axes [d, d], one a row, and the mean square along each, largest first.

    The largest part of each axis is positive, so that axes do not turn round from one library to the next.
    """
    products = np.zeros((len(mean), len(mean)))
    for start in range(0, len(vectors), CENTRED_ROWS):
        chunk = vectors[start : start + CENTRED_ROWS] - mean
        products += chunk.T @ chunk
    variances, columns = np.linalg.eigh(products / len(vectors))
    axes = columns.T[::-1]
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return axes * signs[:, None], variances[::-1].clip(min=0)
