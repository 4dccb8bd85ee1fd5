"""Figures: what all trackers make of a run's events.

    logged("train.sft", "valid", {"step": 40, "loss": 2.1, "recall@10": .08})
        →  step 40: {"train.sft/valid/loss": 2.1, "train.sft/valid/recall at 10": .08}

Trackers allow few letters in names, and none of them `@`; it becomes ` at `, in all of them alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from genrec_core import GenrecError


def scalars(prefix: str, values: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among `values`, nested ones too, under names below `prefix`; without `step`."""
    found: dict[str, float] = {}
    for name, value in values.items():
        full = f"{prefix}/{name.replace('@', ' at ')}"
        if isinstance(value, Mapping):
            found |= scalars(full, value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and name != "step":
            found |= {full: float(value)} if math.isfinite(value) else {}
    return found


def results(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What a run ended with: metrics of the model on validation and test rows, and those of baselines."""
    found: dict[str, float] = {}
    for part in ("valid", "test"):
        found |= scalars(part, metrics.get(part) or {})
    return found | scalars("baselines", metrics.get("baselines") or {})


def settings(plan: Mapping[str, Any]) -> dict[str, str]:
    """Every option of every component that a plan names, flat: `train.sft.epochs` → `10`."""
    found = {"seed": str(plan.get("seed"))}
    for stage in plan.get("stages", []):
        for place, component in stage["ingredients"].get("components", {}).items():
            found[place] = str(component["use"])
            found |= dict(_flat(place, component["options"]))
    return found


def _flat(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{place}.{name}", inner)
    else:
        yield place, str(value)


def missing(library: str, extra: str) -> GenrecError:
    """The error that says how a tracker's library is installed."""
    return GenrecError(
        f"this tracker needs `{library}`, which is not installed",
        hint=f"pip install 'genrec-contrib-trackers[{extra}]'",
    )
