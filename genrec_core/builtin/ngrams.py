"""core/ngrams: text embeddings from hashed character n-grams, without any weights to download.

Each word, with a blank on both sides, is cut into all runs of three to five characters; every run is hashed
into one of 2^18 columns (hashed as 64-bit integers in NumPy, so it is the same on every machine). Counts are
damped and weighted by inverse document frequency, and a randomised SVD finds the strongest directions.

What is learnt from a catalogue is one row of `dims` numbers for each column that two of its texts share:
the column's weight times its place in the directions. A text's vector is the sum of its columns' rows, at
length one, so it is the same to the bit alone and among others, today and in a year. The rows are kept as
float16: at 128 dims that is 12 MB for Amazon Beauty (12,101 titles with brands), 21 MB for Amazon Industrial
(3,686 items with descriptions), and 67 MB at most. `basis: random` learns nothing: the rows are drawn from
a seed, for somewhat worse neighbours.

    "tent" → _te, ten, ent, nt_, _ten, tent, ent_, _tent, tent_        (_ stands for the blank)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder, State

TEXTS_AT_ONCE = 20_000
"""Texts cut into n-grams at a time: bounds memory."""

COLUMNS = 1 << 18
EXTRA = 16
"""Directions the randomised SVD computes beyond those it keeps."""

POWER_ITERATIONS = 3
"""Power iterations of the randomised SVD."""


class NGrams(Encoder):
    """Hashed character n-grams, TF-IDF, randomised SVD, vectors of length one."""

    version: ClassVar[str] = "2"
    needs: ClassVar[tuple[str, ...]] = ("scipy",)
    seeded: ClassVar[bool] = False

    class Options(Encoder.Options):
        """Size and shape of the features."""

        dims: int = Field(128, gt=0, le=65_536)
        """Length of the vectors; columns beyond the rank of the texts are zero."""
        shortest: int = Field(3, gt=0, le=100)
        """Fewest characters of an n-gram."""
        longest: int = Field(5, gt=0, le=100)
        """Most characters of an n-gram."""
        basis: Literal["svd", "random"] = "svd"
        """`svd`: directions learnt from the catalogue; `random`: drawn from the seed, nothing is learnt."""
        seed: int = Field(0, ge=0, le=2**31 - 1)
        """Of the projection; embeddings do not depend on the pipeline's seed."""

    options: Options

    def fit(self, texts: Sequence[str], context: Context) -> State:
        """`columns` int32 [F], ascending, and their rows, `basis` float16 [F, up to dims]; or nothing."""
        if self.options.basis == "random":
            return {}
        columns, weights, features = _weighted(self._features(texts, context))
        basis = weights[:, None] * _strongest(features, self.options.dims, self.options.seed)
        # Vectors get length one: a factor common to all rows only makes use of float16's range.
        largest = float(np.abs(basis).max(initial=0)) or 1.0
        return {"columns": columns, "basis": (basis / largest).astype(np.float16)}

    def encode(self, texts: Sequence[str], state: State, context: Context) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), dims]; zero for a text that has no known n-gram."""
        vectors = np.zeros((len(texts), self.options.dims), dtype=np.float32)
        if not len(texts):
            return vectors
        features = self._features(texts, context)
        if self.options.basis == "random":
            generator = np.random.default_rng(self.options.seed)
            basis = generator.standard_normal((COLUMNS, self.options.dims), dtype=np.float32)
        else:
            features, basis = features[:, state["columns"]], state["basis"].astype(np.float32)
        vectors[:, : basis.shape[1]] = features @ basis
        return _unit(vectors)

    def _features(self, texts: Sequence[str], context: Context) -> Any:
        """Damped counts, a sparse float32 matrix [len(texts), COLUMNS]."""
        from scipy import sparse

        parts = []
        with context.progress("n-grams", total=len(texts)) as advance:
            for start in range(0, len(texts), TEXTS_AT_ONCE):
                chunk = texts[start : start + TEXTS_AT_ONCE]
                rows, columns = self._hashed(chunk)
                counts = np.ones(len(rows), dtype=np.float32)
                part = sparse.csr_matrix((counts, (rows, columns)), shape=(len(chunk), COLUMNS))
                part.sum_duplicates()
                part.data = 1 + np.log(part.data)
                parts.append(part)
                advance(len(chunk))
        return sparse.vstack(parts, format="csr")

    def _hashed(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Row and column of every n-gram of some texts."""
        spaced = [f" {' '.join(text.lower().split())} " for text in texts]
        characters = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        owners = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) for text in spaced])
        blanks = np.concatenate([[0], np.cumsum(characters == ord(" "))])
        rows, columns = [], []
        for size in range(self.options.shortest, self.options.longest + 1):
            for firsts, hashes in _windows(characters, owners, blanks, size):
                rows.append(owners[firsts])
                columns.append(hashes)
        none = [np.zeros(0, dtype=np.int32)]
        return np.concatenate(rows or none), np.concatenate(columns or none)


def _windows(
    characters: NDArray[np.uint32], owners: NDArray[np.int32], blanks: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Where n-grams of one size begin, and their columns; none reaches over a blank or into another text."""
    count = len(characters) - size + 1
    if count <= 0:
        return
    starts = np.arange(count)
    # Blanks strictly inside the window would make it span two words.
    inside = blanks[starts + size - 1] - blanks[starts + 1] if size > 1 else np.zeros(count, dtype=np.int64)
    firsts = starts[(inside == 0) & (owners[starts] == owners[starts + size - 1])]
    hashes = np.full(len(firsts), size, dtype=np.uint64)
    for place in range(size):
        hashes = hashes * np.uint64(0x100000001B3) + characters[firsts + place].astype(np.uint64)
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    yield firsts, (hashes >> np.uint64(64 - 18)).astype(np.int32)


def _weighted(features: Any) -> tuple[NDArray[np.int32], NDArray[np.float32], Any]:
    """Columns that texts share, their inverse document frequencies, and those columns of the features with
    the frequencies as weights and rows of length one. Columns of a single text are left out."""
    from scipy import sparse

    documents = np.bincount(features.indices, minlength=features.shape[1])
    shared = np.flatnonzero(documents > 1) if features.shape[0] > 1 else np.flatnonzero(documents)
    frequency = (np.log((1 + features.shape[0]) / (1 + documents[shared])) + 1).astype(np.float32)
    weighted = features[:, shared] @ sparse.diags(frequency)
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1))).ravel()
    scaled = sparse.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32)) @ weighted
    return shared.astype(np.int32), frequency, scaled


def _strongest(features: Any, dims: int, seed: int) -> NDArray[np.float32]:
    """The `dims` strongest directions, float32 [columns, up to dims], by randomised SVD.

    Tall matrices are made orthonormal through their small Gram matrix, which is many times faster than
    their QR decomposition; it is done twice, because once loses half the digits.
    """
    width = min(dims + EXTRA, *features.shape)
    if width == 0:
        return np.zeros((features.shape[1], 0), dtype=np.float32)
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((features.shape[1], width), dtype=np.float32)
    for _ in range(POWER_ITERATIONS):
        directions = _orthonormal(_orthonormal(features.T @ (features @ directions)))
    squares, turn = _spectrum(features @ directions)
    strongest = directions @ turn[:, squares > 1e-10 * squares[0]][:, :dims].astype(np.float32)
    # The sign of a direction is arbitrary: make its largest entry positive.
    signs = np.sign(strongest[np.abs(strongest).argmax(axis=0), np.arange(strongest.shape[1])])
    return np.asarray(strongest * signs, dtype=np.float32)


def _orthonormal(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """An orthonormal basis of the columns; directions that are lost in rounding are left out."""
    squares, turn = _spectrum(matrix)
    kept = squares > 1e-12 * squares[0]
    return np.asarray(matrix @ (turn[:, kept] / np.sqrt(squares[kept])).astype(np.float32))


def _spectrum(matrix: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared singular values, largest first, and the right singular vectors of a tall matrix."""
    gram = np.zeros((matrix.shape[1], matrix.shape[1]))
    for start in range(0, len(matrix), TEXTS_AT_ONCE):
        part = matrix[start : start + TEXTS_AT_ONCE].astype(np.float64)
        gram += part.T @ part
    squares, vectors = np.linalg.eigh(gram)
    return np.maximum(squares[::-1], 0), vectors[:, ::-1]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths <= 1e-12] = 1  # a text without characters stays zero
    return vectors / lengths
