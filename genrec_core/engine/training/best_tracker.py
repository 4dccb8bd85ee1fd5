"""The best tracker: which weights of a run are kept, when it stops, and the curves by which one sees why.

Fine-tuning, reinforcement learning and the baselines are all selected here. Where the start is evaluated too
it is the first candidate, so a run whose every step made validation worse hands back what it was given.
Training figures are shown beside the validation metric, never used to choose.

    tracker = BestTracker(patience=2)
    tracker.evaluated(1, {"recall@10": 0.2}, "recall@10")     # True: the best so far
    tracker.evaluated(2, {"recall@10": 0.2}, "recall@10")     # False: a tie stays with the earlier weights
    tracker.evaluated(3, {"recall@10": 0.1}, "recall@10")     # False, and tracker.stopped is now True

All of it is plain state that a checkpoint stores as JSON, so a resumed run decides as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from genrec_core.contracts.errors import StageError
from genrec_core.evaluation.metrics import accuracy

Curve = list[tuple[float, float]]
"""(step, value) points."""

DEPTH = 10
"""Items of a recommendation that count when a run is selected by its recommendations."""

LOWER_IS_BETTER = frozenset({"loss"})
"""Validation figures of which the lowest is the best; of every other the highest is."""


@dataclass
class BestTracker:
    """What is known about a run so far.

    Attributes:
        patience: evaluations without improvement before it stops; None never stops.
        best_value, best_step: of the best evaluation so far; None and 0 before the first.
        waited: evaluations since then.
        stopped: whether patience ran out.
        curves: name → points; validation figures are called `valid <name>`.
        pending: name → values since the last point.
        counts: name → running total, such as rollouts made and tokens read.
    """

    patience: int | None
    best_value: float | None = None
    best_step: int = 0
    waited: int = 0
    stopped: bool = False
    curves: dict[str, Curve] = field(default_factory=dict)
    pending: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep the training figures of a step.

        Raises:
            StageError: one is not a finite number.
        """
        _refuse_odd(step, figures)
        for name, value in figures.items():
            self.pending.setdefault(name, []).append(value)

    def count(self, **amounts: int) -> None:
        """Add to running totals."""
        for name, amount in amounts.items():
            self.counts[name] = self.counts.get(name, 0) + amount

    def draw_point(self, step: int) -> dict[str, float]:
        """Draw a point of every curve: the mean since the last one, which is returned."""
        means = {name: sum(values) / len(values) for name, values in self.pending.items()}
        for name, value in means.items():
            self.curves.setdefault(name, []).append((float(step), value))
        self.pending = {}
        return means

    def evaluated(self, step: int, metrics: Mapping[str, float], select_by: str) -> bool:
        """Keep the figures of an evaluation; true when it is the best so far.

        Args:
            step: when.
            metrics: name → value on the validation rows.
            select_by: which of them decides.

        Raises:
            StageError: one is not a finite number.
        """
        _refuse_odd(step, {f"valid {name}": value for name, value in metrics.items()})
        for name, value in metrics.items():
            self.curves.setdefault(f"valid {name}", []).append((float(step), value))
        value = metrics[select_by]
        sign = -1 if select_by in LOWER_IS_BETTER else 1
        if self.best_value is None or sign * value > sign * self.best_value:
            self.best_value, self.best_step, self.waited = value, step, 0
            return True
        self.waited += 1
        self.stopped = self.patience is not None and self.waited >= self.patience
        return False

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return asdict(self)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> BestTracker:
        """From `state()`."""
        values = dict(state)
        values["curves"] = {
            name: [(float(step), float(value)) for step, value in points]
            for name, points in values["curves"].items()
        }
        return cls(**values)


def top_figures(places: Sequence[int | None]) -> dict[str, float]:
    """`recall@10` and `ndcg@10`, as evaluation computes them.

    Args:
        places: of each row's target among the items recommended for it, from 0; None where it is not found.
            Every row counts.
    """
    ranks = np.array([0 if place is None else place + 1 for place in places], dtype=np.int32)
    figures = accuracy(ranks, (DEPTH,))
    return {name: figures[name] for name in (f"recall@{DEPTH}", f"ndcg@{DEPTH}")}


def _refuse_odd(step: int, figures: Mapping[str, float]) -> None:
    odd = [f"`{name}` is {value}" for name, value in figures.items() if not math.isfinite(value)]
    if odd:
        raise StageError(
            f"training diverged: at step {step:,} {', '.join(odd)}",
            hint="lower learning_rate or clip, or raise warmup or, where there is one, beta",
        )
