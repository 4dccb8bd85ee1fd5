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
        best_loss, best_step: of the best evaluation so far; infinite and 0 before the first.
        waited: evaluations since then.
        stopped: whether patience ran out.
        train, valid: (step, loss) points.
        pending: training losses since the last point of `train`.
    """

    patience: int | None
    best_loss: float = math.inf
    best_step: int = 0
    waited: int = 0
    stopped: bool = False
    train: Curve = field(default_factory=list)
    valid: Curve = field(default_factory=list)
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

    def evaluated(self, step: int, loss: float) -> bool:
        """Note a validation loss; true when it is the best so far."""
        self.valid.append((float(step), loss))
        if loss < self.best_loss:
            self.best_loss, self.best_step, self.waited = loss, step, 0
            return True
        self.waited += 1
        self.stopped = self.patience is not None and self.waited >= self.patience
        return False

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values (infinity as null)."""
        state = asdict(self)
        state["best_loss"] = self.best_loss if math.isfinite(self.best_loss) else None
        return state

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Selection:
        """From `state()`."""
        values = dict(state)
        values["best_loss"] = math.inf if values["best_loss"] is None else values["best_loss"]
        for curve in ("train", "valid"):
            values[curve] = [(float(step), float(loss)) for step, loss in values[curve]]
        return cls(**values)
