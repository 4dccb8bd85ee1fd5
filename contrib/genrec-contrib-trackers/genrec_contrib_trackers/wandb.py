"""`trackers/wandb`: a run of Weights & Biases, offline unless it is asked for."""

from __future__ import annotations

from typing import Any, Literal

from genrec_contrib_trackers.figures import missing, results, scalars, settings
from genrec_core import Observer, operational


class WeightsAndBiases(Observer):
    """Logs settings, every figure at its step, and at the end what the run ended with.

    `offline` writes into a folder that `wandb sync` sends later. With `online` the key is wandb's own matter
    (`WANDB_API_KEY`, `wandb login`), and settings and figures leave this machine.
    """

    needs = ("wandb",)

    class Options(Observer.Options):
        """Where."""

        project: str = operational("genrec", min_length=1)
        """Name of the project."""
        mode: Literal["offline", "online"] = operational("offline")
        """Whether anything is sent while the run goes on."""
        folder: str = operational(".")
        """Folder in which wandb makes its own; seen from where the command is started."""

    options: Options
    _run: Any = None

    def run_started(self, run: str, plan: dict[str, Any]) -> None:
        """Begin a run with its settings."""
        try:
            import wandb
        except ImportError as error:
            raise missing("wandb", "wandb") from error
        self._run = wandb.init(
            project=self.options.project,
            name=f"{plan.get('name', 'run')}-{run}",
            config=settings(plan),
            mode=self.options.mode,
            dir=self.options.folder,
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )

    def stage_finished(self, stage: str, outcome: str, seconds: float) -> None:
        """A failed stage ends the run as failed."""
        if outcome == "failed":
            self._run.finish(exit_code=1)

    def logged(self, stage: str, event: str, values: dict[str, Any]) -> None:
        """Figures of one event, drawn over the stage's own steps."""
        place = stage.replace(".", "/")  # wandb takes a dot for a level of nesting
        figures = scalars(f"{place}/{event}", values)
        if figures and "step" in values:
            self._run.define_metric(f"{place}/*", step_metric=f"{place}/step")
            figures[f"{place}/step"] = float(values["step"])
        if figures:
            self._run.log(figures)

    def run_finished(self, run: str, metrics: dict[str, Any]) -> None:
        """What the run ended with, as its summary."""
        for name, value in results(metrics).items():
            self._run.summary[name] = value
        self._run.finish()
