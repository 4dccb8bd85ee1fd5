"""The best k of many scores, with ties broken by item index.

>>> best(np.array([0.1, 0.5, 0.5, 0.9]), 2)
array([3, 1], dtype=int32)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating] | NDArray[np.integer]


def best(scores: Numbers, k: int) -> NDArray[np.int32]:
    """Indices of the k highest scores, best first, equal ones in index order, int32 [min(k, N)].

    `argpartition` alone would pick any of the items that tie at the edge; here the lowest indices win.
    """
    if k >= len(scores):
        return np.argsort(-scores, kind="stable").astype(np.int32)
    edge = -np.partition(-scores, k - 1)[k - 1] if k else np.inf
    above = np.flatnonzero(scores > edge)
    level = np.flatnonzero(scores == edge)[: k - len(above)]
    chosen = np.concatenate([above, level])
    return chosen[np.lexsort((chosen, -scores[chosen]))].astype(np.int32)
