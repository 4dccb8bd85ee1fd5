"""`trackers/mlflow`: a run of an MLflow experiment, in a folder or on a server."""

from __future__ import annotations

import time
from typing import Any

from genrec_contrib_trackers.figures import missing, results, scalars, settings
from genrec_core import Observer, operational

_BATCH, _LONGEST = 100, 500
"""Settings a call, and letters of a setting, that every version of MLflow's servers takes."""


class MLflow(Observer):
    """Logs settings, every figure at its step, and at the end what the run ended with.

    Credentials are MLflow's own matter (its environment variables); an address that holds some is refused.
    """

    needs = ("mlflow",)

    class Options(Observer.Options):
        """Where."""

        uri: str = operational("", pattern=r"^[^@]*$")
        """Tracking address (`file:mlruns`, `https://…`); MLflow's own default if empty."""
        experiment: str = operational("genrec", min_length=1)
        """Name of the experiment; made if there is none."""

    options: Options
    _client: Any = None
    _run: str = ""

    def run_started(self, run: str, plan: dict[str, Any]) -> None:
        """Begin a run and log its settings."""
        try:
            from mlflow.entities import Param
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise missing("mlflow", "mlflow") from error
        self._client = MlflowClient(self.options.uri or None)
        known = self._client.get_experiment_by_name(self.options.experiment)
        experiment = known.experiment_id if known else self._client.create_experiment(self.options.experiment)
        name = f"{plan.get('name', 'run')}-{run}"
        self._run = self._client.create_run(experiment, run_name=name).info.run_id
        logged = [Param(name, value[:_LONGEST]) for name, value in settings(plan).items()]
        for start in range(0, len(logged), _BATCH):
            self._client.log_batch(self._run, params=logged[start : start + _BATCH])

    def stage_finished(self, stage: str, outcome: str, seconds: float) -> None:
        """A failed stage ends the run as failed."""
        if outcome == "failed":
            self._client.set_terminated(self._run, "FAILED")

    def logged(self, stage: str, event: str, values: dict[str, Any]) -> None:
        """Figures of one event."""
        self._log(scalars(f"{stage}/{event}", values), int(values.get("step") or 0))

    def run_finished(self, run: str, metrics: dict[str, Any]) -> None:
        """What the run ended with."""
        self._log(results(metrics), 0)
        self._client.set_terminated(self._run)

    def _log(self, figures: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        if figures:
            found = [Metric(name, value, now, step) for name, value in figures.items()]
            self._client.log_batch(self._run, metrics=found)
