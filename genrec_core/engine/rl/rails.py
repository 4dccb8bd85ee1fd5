"""Rails: which weights of a run are kept, when it stops, and the curves by which one sees why.

The start is the first candidate for the best. So a run whose every step made validation worse hands back what
it was given, and a run that fell after a while hands back its summit. Nothing else can end well by accident:
training reward is shown beside the validation metric, never used to choose.

All of it is plain state that a checkpoint stores as JSON, so a resumed run decides as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from genrec_core.contracts.errors import StageError

Curve = list[tuple[float, float]]


@dataclass
class Rails:
    """What is known about a run so far.

    Attributes:
        patience: evaluations without improvement before it stops; None never stops.
        best_value, best_step: of the best evaluation so far; None and 0 before the first.
        waited: evaluations since then.
        stopped: whether patience ran out.
        curves: name → (step, value) points.
        pending: name → values since the last point.
        rollouts, tokens: how many rollouts were made, and how many tokens updates have read.
    """

    patience: int | None
    best_value: float | None = None
    best_step: int = 0
    waited: int = 0
    stopped: bool = False
    curves: dict[str, Curve] = field(default_factory=dict)
    pending: dict[str, list[float]] = field(default_factory=dict)
    rollouts: int = 0
    tokens: int = 0

    def noted(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep the figures of a step.

        Raises:
            StageError: one is not a number.
        """
        odd = {name: value for name, value in figures.items() if not math.isfinite(value)}
        if odd:
            raise StageError(
                f"training diverged: at step {step:,} {', '.join(f'{n} is `{v}`' for n, v in odd.items())}",
                hint="lower learning_rate, raise beta or lower clip",
            )
        for name, value in figures.items():
            self.pending.setdefault(name, []).append(value)

    def point(self, step: int) -> dict[str, float]:
        """Draw a point of every curve: the mean since the last one, which is returned."""
        means = {name: sum(values) / len(values) for name, values in self.pending.items()}
        for name, value in means.items():
            self.curves.setdefault(name, []).append((float(step), value))
        self.pending = {}
        return means

    def evaluated(self, step: int, metrics: Mapping[str, float], metric: str) -> bool:
        """Note an evaluation; true when it is the best so far. A tie stays with the earlier weights."""
        for name, value in metrics.items():
            self.curves.setdefault(f"valid {name}", []).append((float(step), value))
        value = metrics[metric]
        if self.best_value is None or value > self.best_value:
            self.best_value, self.best_step, self.waited = value, step, 0
            return True
        self.waited += 1
        self.stopped = self.patience is not None and self.waited >= self.patience
        return False

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return asdict(self)

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Rails:
        """From `state()`."""
        values = dict(state)
        values["curves"] = {
            name: [(float(step), float(value)) for step, value in points]
            for name, points in values["curves"].items()
        }
        return cls(**values)
