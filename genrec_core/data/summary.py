"""Summary: the figures that describe a data set before anyone trains on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec_core.contracts.dataset import Dataset
from genrec_core.data.doubtful_times import odd_times
from genrec_core.data.ordering import count_ties, exact_duplicates, tie_order


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Counts as JSON values.

    `ties` are interactions that share user and time with another one, `duplicates` those that repeat
    user, item and time; both None without times. `tie_order` tests whether ties are listed by item id.
    `text` says what share of items has each text field.
    """
    lengths = dataset.sequences.lengths
    counts = np.bincount(dataset.sequences.values, minlength=len(dataset.items))
    ties, duplicates = _ties(dataset)
    order = tie_order(dataset)
    odd = [] if dataset.times is None else odd_times(dataset.times)
    cells = max(len(dataset.users) * len(dataset.items), 1)
    return {
        "users": len(dataset.users),
        "items": len(dataset.items),
        "interactions": len(dataset.sequences.values),
        "density": len(dataset.sequences.values) / cells,
        "length": {
            "shortest": int(lengths.min()) if len(lengths) else 0,
            "median": float(np.median(lengths)) if len(lengths) else 0.0,
            "longest": int(lengths.max(initial=0)),
        },
        "users_with_one_interaction": int((lengths == 1).sum()),
        "users_with_fewer_than_three": int((lengths < 3).sum()),
        "items_never_chosen": int((counts == 0).sum()),
        "text": _text_coverage(dataset),
        "times": dataset.times is not None,
        "ties": ties,
        "tie_order": {
            "share_of_interactions_tied": order.tied,
            "adjacent_pairs": order.pairs,
            "share_ascending_by_id": order.share,
            "p_value_against_half": order.p_value,
        },
        "duplicates": duplicates,
        "users_with_attributes": len(dataset.attributes),
        "valid_rows": len(dataset.valid) if dataset.valid else 0,
        "test_rows": len(dataset.test) if dataset.test else 0,
        "notes": [
            *dataset.notes,
            *(f"{count:,} {what}" for what, count in odd),
            *[order.note] * bool(order.note),
        ],
    }


def _text_coverage(dataset: Dataset) -> dict[str, float]:
    items = dataset.items
    return {
        name: sum(bool(items.value(index, name).strip()) for index in range(len(items))) / len(items)
        for name in items.text_fields
    }


def _ties(dataset: Dataset) -> tuple[int | None, int | None]:
    if dataset.times is None:
        return None, None
    user = np.repeat(np.arange(len(dataset.users)), dataset.sequences.lengths)
    repeated = exact_duplicates(user, dataset.sequences.values, dataset.times)
    return count_ties(user, dataset.times), int(repeated.sum())
