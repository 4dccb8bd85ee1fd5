"""Several seeds: one pipeline run once with each, and what their metrics have in common.

    runs/<name>/<id>/  metrics.json (means, `spread`)   seed-1/ …   seed-2/ …

The means stand where a single run's figures stand, so that whatever reads `metrics.json` reads these too;
`spread` holds mean, standard deviation, smallest and largest of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.evaluation.intervals import across_seeds
from genrec_core.pipeline.graph import EVALUATE
from genrec_core.pipeline.load import Pipeline
from genrec_core.pipeline.run import Finished, StageSelection, run_pipeline
from genrec_core.pipeline.run_folder import (
    METRICS,
    PIPELINE,
    new_run_folder,
    point_latest,
    write_json,
    write_pipeline,
)
from genrec_core.pipeline.runner import RunEnvironment

FOLDER = "seed-{seed}"


@dataclass(frozen=True)
class ManyFinished:
    """Runs with several seeds.

    Attributes:
        folder: holds one run folder a seed.
        metrics: means and spread.
        runs: seed → its run.
    """

    folder: Path
    metrics: dict[str, Any]
    runs: dict[int, Finished]


def run_seeds(
    pipeline: Pipeline,
    environment: RunEnvironment,
    seeds: Sequence[int],
    selection: StageSelection | None = None,
) -> ManyFinished:
    """Run a pipeline with each seed in turn; what no seed touches is computed once and shared.

    Raises:
        GenrecError: only a stage without results is wanted, so there is nothing to average.
    """
    if selection and selection.only not in ("", EVALUATE):
        raise GenrecError(f"`--only {selection.only}` has no results to average", hint="run it with one seed")
    home = new_run_folder(environment.runs, pipeline.spec.name)
    described = {**pipeline.spec.described(0), "seeds": list(seeds)}
    del described["seed"]
    write_pipeline(home / PIPELINE, described)
    runs = {}
    for seed in seeds:
        folder = home / FOLDER.format(seed=seed)
        folder.mkdir()
        environment.console.say(f"seed {seed}")
        runs[seed] = run_pipeline(pipeline, environment, seed, selection, folder)
    metrics = _together(runs)
    write_json(home / METRICS, metrics)
    wrong = point_latest(home)
    if wrong:
        environment.console.warn(wrong)
    return ManyFinished(home, metrics, runs)


def _together(runs: dict[int, Finished]) -> dict[str, Any]:
    """The first run's metrics with means in place of its figures, and the spread beside them."""
    every = [run.metrics for run in runs.values()]
    first = every[0]
    spread = {part: across_seeds([metrics[part] for metrics in every]) for part in ("test", "valid")}
    baselines = {
        name: across_seeds([metrics["baselines"][name] for metrics in every]) for name in first["baselines"]
    }
    return {
        "protocol": first["protocol"],
        "settings": first["settings"],
        "seeds": {str(seed): FOLDER.format(seed=seed) for seed in runs},
        **{part: _means(found) for part, found in spread.items()},
        "baselines": {name: _means(found) for name, found in baselines.items()},
        "spread": {**spread, "baselines": baselines},
        "intervals": {},
        "comparisons": {},
        "identifiers": first["identifiers"],
        "cost": {
            f"{stage} (seed {seed})": cost
            for seed, run in runs.items()
            for stage, cost in run.metrics["cost"].items()
        },
    }


def _means(found: dict[str, dict[str, float | int]]) -> dict[str, float | int]:
    return {metric: figures["mean"] for metric, figures in found.items()}
