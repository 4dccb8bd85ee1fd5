"""`trackers/tensorboard`: event files that `tensorboard --logdir FOLDER` draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec_contrib_trackers.figures import missing, results, scalars
from genrec_core import Observer, operational


class TensorBoard(Observer):
    """Writes every figure that a stage logs, at its step, and at the end what the run ended with."""

    needs = ("tensorboard",)

    class Options(Observer.Options):
        """Where."""

        folder: str = operational("tensorboard")
        """Folder of event files, one inside it a run; seen from where the command is started."""

    options: Options
    _writer: Any = None

    def run_started(self, run: str, plan: dict[str, Any]) -> None:
        """Open the run's folder."""
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise missing("tensorboard", "tensorboard") from error
        self._writer = Writer(str(Path(self.options.folder) / f"{plan.get('name', 'run')}-{run}"))

    def logged(self, stage: str, event: str, values: dict[str, Any]) -> None:
        """Figures of one event."""
        self._write(scalars(f"{stage}/{event}", values), int(values.get("step") or 0))
        self._writer.flush()

    def run_finished(self, run: str, metrics: dict[str, Any]) -> None:
        """What the run ended with."""
        self._write(results(metrics), 0)
        self._writer.close()

    def _write(self, figures: dict[str, float], step: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name.replace(" ", "_"), value, step)
