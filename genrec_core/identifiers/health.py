"""Health of identifiers: what one wants to know before days of training.

    >>> health(Identifiers.of([("a", "x"), ("a", "x"), ("b", "y")]))["collision_rate"]
    0.6666666666666666

Perplexity of a level is exp of the entropy of its codes over items: how many codes an even spread would
need to be as varied. A level of 256 codes with a perplexity of 12 has collapsed, whatever its usage.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec_core.contracts.identifiers import Identifiers


def health(identifiers: Identifiers) -> dict[str, Any]:
    """Collisions, lengths and code usage, as plain values for metrics and reports."""
    buckets = [len(identifiers.items_of(tokens)) for tokens in identifiers.distinct()]
    sizes = np.asarray(buckets, dtype=np.int64)
    total = len(identifiers)
    shared = int(sizes[sizes > 1].sum())
    return {
        "items": total,
        "distinct": len(buckets),
        "collision_rate": shared / total if total else 0.0,
        "colliding_items": shared,
        "largest_bucket": int(sizes.max(initial=0)),
        "length": {
            "min": int(identifiers.lengths.min()) if total else 0,
            "mean": float(identifiers.lengths.mean()) if total else 0.0,
            "max": int(identifiers.lengths.max(initial=0)),
        },
        "new_tokens": len(identifiers.new_tokens),
        "levels": levels(identifiers),
    }


def levels(identifiers: Identifiers) -> list[dict[str, Any]]:
    """For each token position: items that reach it, distinct codes, largest share, entropy, perplexity."""
    table = []
    starts = identifiers.offsets[:-1]
    for level in range(int(identifiers.lengths.max(initial=0))):
        codes = identifiers.codes[starts[identifiers.lengths > level] + level]
        counts = np.bincount(codes)
        counts = counts[counts > 0]
        share = counts / counts.sum()
        entropy = float(-(share * np.log(share)).sum())
        table.append(
            {
                "level": level + 1,
                "items": len(codes),
                "codes": len(counts),
                "largest_share": float(share.max()),
                "entropy": entropy,
                "perplexity": float(np.exp(entropy)),
            }
        )
    return table
