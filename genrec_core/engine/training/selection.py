"""Selection: which weights of a run are kept, when it stops, and the curves it leaves.

All of it is plain state that a checkpoint stores as JSON, so a resumed run decides as an uninterrupted one.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from genrec_core.contracts.errors import StageError

Curve = list[tuple[float, float]]


@dataclass
class Selection:
    """What is known about a run so far.

    Attributes:
        patience: evaluations without improvement before it stops; None never stops.
        best_merit, best_step: of the best evaluation so far; minus infinity and 0 before the first. The
            merit is what a run is selected by: a figure of its rankings, or its loss turned round.
        waited: evaluations since then.
        stopped: whether patience ran out.
        train, valid: (step, loss) points.
        ranked: (step, merit) points where the run is selected by its rankings.
        pending: training losses since the last point of `train`.
    """

    patience: int | None
    best_merit: float = -math.inf
    best_step: int = 0
    waited: int = 0
    stopped: bool = False
    train: Curve = field(default_factory=list)
    valid: Curve = field(default_factory=list)
    ranked: Curve = field(default_factory=list)
    pending: list[float] = field(default_factory=list)

    def trained(self, step: int, losses: list[float], *, point: bool) -> None:
        """Note the losses of some steps; draw a point of the curve if it is time to.

        Raises:
            StageError: a loss is not a number.
        """
        if not all(math.isfinite(loss) for loss in losses):
            raise StageError(
                f"training diverged: the loss at step {step:,} is not a finite number",
                hint="lower learning_rate, raise warmup or lower clip",
            )
        self.pending += losses
        if point and self.pending:
            self.train.append((float(step), sum(self.pending) / len(self.pending)))
            self.pending = []

    def evaluated(self, step: int, loss: float, ranked: float | None = None) -> bool:
        """Note a validation loss, and what selects instead of it; true when it is the best so far."""
        self.valid.append((float(step), loss))
        if ranked is not None:
            self.ranked.append((float(step), ranked))
        merit = -loss if ranked is None else ranked
        if merit > self.best_merit:
            self.best_merit, self.best_step, self.waited = merit, step, 0
            return True
        self.waited += 1
        self.stopped = self.patience is not None and self.waited >= self.patience
        return False

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values (infinity as null)."""
        state = asdict(self)
        state["best_merit"] = self.best_merit if math.isfinite(self.best_merit) else None
        return state

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Selection:
        """From `state()`."""
        values = dict(state)
        values["best_merit"] = -math.inf if values["best_merit"] is None else values["best_merit"]
        for curve in ("train", "valid", "ranked"):
            values[curve] = [(float(step), float(value)) for step, value in values[curve]]
        return cls(**values)
