"""Pruned contexts: the part of a history that has to do with the target (OneRec-Think §4.2).

Histories are long and mostly about something else. Whoever shall say why an item was chosen is shown the k
items that are most like it, by the item encoder, in the order in which they were chosen:

    similarities .1 .9 .3 .8, k = 2   →   the second and the fourth item, in this order

Similarity is the cosine. Of items chosen more than once the newest time counts; of equally similar items the
newer one is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length one; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def pruned(history: Sequence[int], target: int, vectors: NDArray[np.float32], k: int) -> tuple[int, ...]:
    """The k items of a history that are most similar to a target, oldest first.

    Args:
        history: item indices, oldest first.
        target: item index.
        vectors: float32 [N, d], rows of length one (`unit`).
        k: most items.
    """
    newest = {item: place for place, item in enumerate(history)}
    places = sorted(newest.values())
    items = [history[place] for place in places]
    likeness = vectors[items] @ vectors[target] if items else np.zeros(0, dtype=np.float32)
    best = sorted(range(len(items)), key=lambda place: (-float(likeness[place]), -place))[:k]
    return tuple(items[place] for place in sorted(best))
