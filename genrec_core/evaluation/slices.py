"""Slices: the same metric on parts of the test examples, because an average hides who is served.

Every example falls into one band of each group. A band's size is printed with its figures.

- `target` : cold (never in a training sequence) or seen.
- `history`: how many items the user's visible history has.
- `popularity`: by the target's share of training interactions: *head* items are the most popular ones
  that together make up a third of all interactions, *middle* the next third, *tail* the rest.
- `domain`: the domain of the next item, where the data has several.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.views import View

ExampleMask = NDArray[np.bool_]
"""Which examples a slice holds, bool [V]."""

LENGTHS = ((0, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""Bands of history length, both ends included."""

BANDS = ("head", "middle", "tail")


def slices(view: View, popularity: NDArray[np.int64]) -> Iterator[tuple[str, str, ExampleMask]]:
    """(group, band, which examples) for every band that holds any.

    Args:
        view: a validation or test view of V examples.
        popularity: int64 [N], how often each item occurs in the training view.
    """
    targets = view.targets if view.targets is not None else np.zeros(0, dtype=np.int32)
    for group, bands in (
        ("target", _target_bands(targets, popularity)),
        ("history", _length_bands(view.rows.lengths)),
        ("popularity", _popularity_bands(targets, popularity)),
        ("domain", _domain_bands(view.domains)),
    ):
        for band, rows in bands:
            if rows.any():
                yield group, band, rows


def popularity_of(view: View, catalogue: int) -> NDArray[np.int64]:
    """How often each item occurs in a training view, int64 [catalogue]."""
    return np.bincount(view.rows.values, minlength=catalogue).astype(np.int64)


def _target_bands(
    targets: NDArray[np.int32], popularity: NDArray[np.int64]
) -> Iterator[tuple[str, ExampleMask]]:
    cold = popularity[targets] == 0
    yield "cold", cold
    yield "seen", ~cold


def _length_bands(lengths: NDArray[np.int64]) -> Iterator[tuple[str, ExampleMask]]:
    for low, high in LENGTHS:
        name = f"{low}+" if high is None else f"{low}-{high}"
        yield name, (lengths >= low) & (lengths <= (high if high is not None else lengths))


def _popularity_bands(
    targets: NDArray[np.int32], popularity: NDArray[np.int64]
) -> Iterator[tuple[str, ExampleMask]]:
    order = np.argsort(-popularity, kind="stable")
    before = np.zeros(len(popularity), dtype=np.int64)
    before[order] = np.cumsum(popularity[order]) - popularity[order]
    band = np.minimum(before * len(BANDS) // max(1, int(popularity.sum())), len(BANDS) - 1)
    band[popularity == 0] = len(BANDS) - 1
    for number, name in enumerate(BANDS):
        yield name, band[targets] == number


def _domain_bands(domains: tuple[str, ...]) -> Iterator[tuple[str, ExampleMask]]:
    labels = np.asarray(domains, dtype=object)
    for name in sorted(set(domains)):
        yield name, np.asarray(labels == name, dtype=bool)
