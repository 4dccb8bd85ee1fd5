"""Paths: codes that are settled, with the rank that tells apart items which share them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_plugin_sid.quantiser import Codebooks, entries

Paths = NDArray[np.int32]
"""int32 [N, levels + 1]; the last column is the rank, −1 for an item that needs none."""


@dataclass(frozen=True)
class Coded:
    """Items that have codes and want paths: what a collision policy decides on.

    Attributes:
        codes: int32 [N, levels].
        settled: paths of items named before, which may not change; none when a catalogue is fitted.
        latents: float32 [N, d'], where the items lie.
        codebooks: of every level.
    """

    codes: NDArray[np.int32]
    settled: Paths
    latents: NDArray[np.float32]
    codebooks: Codebooks

    @property
    def leaves(self) -> int:
        """How many different codes there can be."""
        leaves = 1
        for book in self.codebooks:
            leaves *= len(book)
        return leaves

    def buckets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The bucket of each settled item and of each item here: same codes, same number, from 0 on."""
        both = np.concatenate([self.settled[:, :-1], self.codes])
        _, bucket = np.unique(both, axis=0, return_inverse=True)
        bucket = bucket.reshape(-1).astype(np.int64)
        return bucket[: len(self.settled)], bucket[len(self.settled) :]

    def shared(self) -> NDArray[np.bool_]:
        """Which items have the codes of another item, settled or not."""
        settled, mine = self.buckets()
        return np.asarray(np.bincount(np.concatenate([settled, mine]))[mine] > 1)

    def gaps(self) -> NDArray[np.float64]:
        """How far each item is, squared, from what its codes stand for."""
        residuals = self.latents - entries(self.codebooks, self.codes)
        return np.asarray(np.square(residuals, dtype=np.float64).sum(axis=1))


def place_within(bucket: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many earlier ones are in the same bucket."""
    order = np.argsort(bucket, kind="stable")
    ordered = bucket[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    places = np.empty(len(bucket), dtype=np.int64)
    places[order] = np.arange(len(bucket)) - starts
    return places


def unranked(codes: NDArray[np.int32]) -> Paths:
    """Paths of these codes in which nobody has a rank."""
    return with_ranks(codes, np.full(len(codes), -1))


def with_ranks(codes: NDArray[np.int32], ranks: NDArray[np.int64]) -> Paths:
    """Paths of these codes and ranks."""
    return np.concatenate([codes, ranks[:, None]], axis=1).astype(np.int32)
