"""Observer: is told what happens, and gives nothing back."""

from __future__ import annotations

from typing import Any, ClassVar

from genrec_core.contracts.component import Component


class Observer(Component):
    """Receives lifecycle events; trackers are observers. An observer that raises is reported and left out."""

    kind: ClassVar[str] = "observer"
    seeded: ClassVar[bool] = False

    def run_started(self, run: str, plan: dict[str, Any]) -> None:
        """A run begins; `plan` is what `plan.json` holds."""

    def stage_finished(self, stage: str, outcome: str, seconds: float) -> None:
        """A stage ended; `outcome` is `run`, `reused` or `failed`."""

    def logged(self, stage: str, event: str, values: dict[str, Any]) -> None:
        """A stage logged something (a training step, a validation)."""

    def run_finished(self, run: str, metrics: dict[str, Any]) -> None:
        """A run ended; `metrics` is what `metrics.json` holds."""
