"""k-core: leave out rare users and items until none is rare.

Taking out an item can make a user rare and the other way round, so both are repeated until nothing
changes. What remains does not depend on the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def k_core(
    user: NDArray[np.int32], item: NDArray[np.int32], least_user: int, least_item: int
) -> NDArray[np.bool_]:
    """Which interactions remain, bool [n].

    Args:
        user: user codes, int32 [n].
        item: item codes, int32 [n].
        least_user: interactions that a user needs; 1 or less asks for nothing.
        least_item: interactions that an item needs.
    """
    kept = np.ones(len(user), dtype=bool)
    while True:
        before = int(kept.sum())
        for codes, least in ((user, least_user), (item, least_item)):
            counts = np.bincount(codes[kept], minlength=int(codes.max(initial=-1)) + 1)
            kept &= counts[codes] >= least
        if int(kept.sum()) == before:
            return kept
