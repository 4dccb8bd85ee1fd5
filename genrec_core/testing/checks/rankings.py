"""What any list of ranked items keeps to, whoever made it."""

from __future__ import annotations

import numpy as np

from genrec_core.contracts.candidates import How, Ranked
from genrec_core.testing.verdicts import require


def require_well_formed(ranked: Ranked, items: int) -> None:
    """Distinct items of a catalogue of `items`, best first, with the dtypes of the contract."""
    require(isinstance(ranked, Ranked), f"gave {type(ranked).__name__}, not Ranked")
    for name, dtype in (("items", np.int32), ("scores", np.float32), ("how", np.uint8)):
        array = getattr(ranked, name)
        require(array.dtype == dtype, f"`{name}` must be {np.dtype(dtype)}, is {array.dtype}")
        require(array.shape == ranked.items.shape, f"`{name}` is {array.shape}, items {ranked.items.shape}")
    inside = ((ranked.items >= 0) & (ranked.items < items)).all()
    require(inside, f"items outside the catalogue: {ranked.items.tolist()}")
    require(len(set(ranked.items.tolist())) == len(ranked.items), f"an item twice: {ranked.items.tolist()}")
    require(not np.isnan(ranked.scores).any(), "a score is NaN")
    falling = (ranked.scores[1:] <= ranked.scores[:-1]).all()
    require(falling, f"scores rise: {ranked.scores.tolist()}")
    unknown = set(ranked.how.tolist()) - {int(how) for how in How}
    require(not unknown, f"`how` has values that no `How` has: {unknown}")
    require(0 <= ranked.invalid <= ranked.candidates, f"{ranked.invalid} of {ranked.candidates} invalid")


def same(first: Ranked, second: Ranked) -> bool:
    """Whether two rankings agree in items and scores."""
    return np.array_equal(first.items, second.items) and np.array_equal(first.scores, second.scores)
