"""Health of identifiers: what one wants to know before days of training.

    >>> health(Identifiers.of([("a", "x"), ("a", "x"), ("b", "y")]))["collision_rate"]
    0.6666666666666666

This is the part that needs the identifiers alone and is in the metrics of every run; what needs texts or
embeddings is in `diagnosis`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.identifiers.prefixes import Prefixes
from genrec_core.identifiers.usage import levels


def health(identifiers: Identifiers, prefixes: Prefixes | None = None) -> dict[str, Any]:
    """Collisions, lengths and code usage, as plain values for metrics and reports.

    Args:
        identifiers: of any kind.
        prefixes: theirs, where they are known already.
    """
    prefixes = prefixes or Prefixes.of(identifiers)
    sizes = prefixes.bucket_sizes
    total = len(identifiers)
    shared = int(sizes[sizes > 1].sum())
    return {
        "items": total,
        "distinct": len(sizes),
        "collision_rate": shared / total if total else 0.0,
        "colliding_items": shared,
        "largest_bucket": int(sizes.max(initial=0)),
        "merged_items": identifiers.merged,
        "length": {
            "min": int(identifiers.lengths.min()) if total else 0,
            "mean": float(identifiers.lengths.mean()) if total else 0.0,
            "max": int(identifiers.lengths.max(initial=0)),
        },
        "new_tokens": len(identifiers.new_tokens),
        "levels": [asdict(level) for level in levels(identifiers, prefixes)],
    }
