"""A sweep: one pipeline with several values of some options, selected by validation rows alone.

    swept = run_sweep(SweepRequest(file, (parse_over("train.sft.learning_rate=1e-3,2e-3"),)), environment)
    swept.selected.values      # {"train.sft.learning_rate": 0.001}
    swept.finished.metrics     # of the run of these values: the first that answered test rows

Trials share every stage that their options do not touch, and a sweep that was stopped goes on when the same
command is given again: what is done is in the store. Each trial leaves a folder with its pipeline and plan,
from which it can be opened and asked, and no metrics: nobody has looked at test rows for it.

    runs/<name>/sweep-5be01c7d/  sweep.json  report.html  trial-1/ pipeline.yaml plan.json  trial-2/ …
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_contrib_sweep.page import SweepFacts, TrialFacts, write_sweep
from genrec_contrib_sweep.space import OptionValues, Over, Proposals, changes_of, combinations
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import recordable
from genrec_core.contracts.processes import one_process
from genrec_core.evaluation.evaluate import METRICS, MODEL_SYSTEM, RANKS
from genrec_core.evaluation.intervals import PairedDifference, across_seeds, differences, intervals
from genrec_core.evaluation.seeds import seed_differences, seed_intervals
from genrec_core.pipeline.graph import VALIDATE, Graph
from genrec_core.pipeline.load import Pipeline, load_pipeline
from genrec_core.pipeline.plan import Ingredients, make_plan
from genrec_core.pipeline.run import Finished, ManyFinished, run_pipeline, run_seeds
from genrec_core.pipeline.run_folder import (
    PIPELINE,
    PLAN,
    REPORT,
    plan_record,
    write_pipeline,
    write_readable,
)
from genrec_core.pipeline.run_log import RunLog
from genrec_core.pipeline.runner import RunEnvironment, Runner
from genrec_core.registry.problems import did_you_mean
from genrec_core.store.content import fingerprint, load_arrays
from genrec_core.store.references import Claim, note_run

SWEEP = "sweep.json"


@dataclass(frozen=True)
class SweepRequest:
    """What is to be tried.

    Attributes:
        file: the pipeline.
        overs: options and what to try for each.
        changes: `--set` of every trial.
        trials: how many optuna proposes; 0: every combination of values.
        metric: of validation rows, the larger the better; by default NDCG at 10 or the deepest cut-off.
        seeds: each trial is judged by its mean over these; by default those of the pipeline.
    """

    file: Path
    overs: tuple[Over, ...]
    changes: tuple[str, ...] = ()
    trials: int = 0
    metric: str = ""
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One combination of values.

    Attributes:
        number: its place, from 1.
        values: of the options.
        metrics: means over seeds on validation rows; empty where it failed.
        interval: of the metric that selects, 95 %; over users, and over seeds where there are several.
        deviation: of it over seeds; 0 for one.
        seconds: what making its artefacts cost, those that it shares with others included.
        failed: why it could not be tried.
        ranks: int32 [S, U], of the validation rows.
        protocol: what it was measured under.
    """

    number: int
    values: OptionValues
    metrics: Mapping[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    deviation: float = 0.0
    seconds: float = 0.0
    failed: str = ""
    ranks: NDArray[np.int32] | None = field(default=None, repr=False)
    protocol: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Swept:
    """A sweep that ended.

    Attributes:
        folder: the sweep's.
        metric: that selected.
        trials: in the order they were tried.
        selected: the best.
        behind: number of each other trial → the selected one's lead in the metric.
        finished: the run of the selected values.
    """

    folder: Path
    metric: str
    trials: tuple[Trial, ...]
    selected: Trial
    behind: Mapping[int, PairedDifference]
    finished: Finished | ManyFinished

    def plain(self) -> dict[str, Any]:
        """As `sweep.json` has it."""
        run = str(self.finished.folder) if self.finished.folder else None
        return {**_record(self.metric, self.trials, self.selected, self.behind), "run": run}


@one_process
def run_sweep(request: SweepRequest, environment: RunEnvironment) -> Swept:
    """Try, select by validation rows, and run what was selected.

    Raises:
        GenrecError: a combination is no pipeline, trials cannot be compared, or none could be tried.
    """
    base = load_pipeline(request.file, environment.registry, request.changes)
    seeds = request.seeds or base.spec.seeds or (base.spec.seed,)
    metric = _metric(request.metric, base)
    home = _folder(request, base, seeds, metric, environment)
    trials: list[Trial] = []
    for trial in _tried(request, environment, seeds, metric, home):
        _refuse_other_protocol(trials, trial)
        trials.append(trial)
        home.mkdir(parents=True, exist_ok=True)
        write_readable(home / SWEEP, _record(metric, trials, None, {}))
    done = [trial for trial in trials if not trial.failed]
    if not done:
        raise GenrecError(f"no trial could be run; the first said: {trials[0].failed}")
    selected = max(done, key=lambda trial: trial.metrics[metric])
    behind = {one.number: _lead(selected, one, metric) for one in done if one is not selected}
    pipeline = _pipeline(request, environment, selected.values)
    several = len(seeds) > 1
    environment.console.say(f"selected: trial {selected.number}, now with test rows")
    finished: Finished | ManyFinished = (
        run_seeds(pipeline, environment, seeds) if several else run_pipeline(pipeline, environment, seeds[0])
    )
    swept = Swept(home, metric, tuple(trials), selected, behind, finished)
    write_readable(home / SWEEP, swept.plain())
    write_sweep(home / REPORT, _facts(swept, pipeline.spec.name, home))
    return swept


def _metric(named: str, base: Pipeline) -> str:
    at = base.spec.cutoffs
    known = [*(f"{name}@{k}" for name in ("ndcg", "recall") for k in at), "mrr"]
    if not named:
        return f"ndcg@{10 if 10 in at else max(at)}"
    if named not in known:
        raise GenrecError(
            f"`{named}` is no metric to select by", where=f"--metric {named}", hint=did_you_mean(named, known)
        )
    return named


def _folder(
    request: SweepRequest, base: Pipeline, seeds: Sequence[int], metric: str, environment: RunEnvironment
) -> Path:
    """`sweep-<hash>`, the same for the same request."""
    asked = [base.spec.described(0), [vars(over) for over in request.overs], request.trials, metric, seeds]
    hint = "name another folder with --runs, or work in one with another name"
    recordable(environment.runs.absolute(), hint)
    return environment.runs / base.spec.name / f"sweep-{fingerprint(asked)[:8]}"


def _pipeline(request: SweepRequest, environment: RunEnvironment, values: OptionValues) -> Pipeline:
    return load_pipeline(request.file, environment.registry, (*request.changes, *changes_of(values)))


def _tried(
    request: SweepRequest, environment: RunEnvironment, seeds: Sequence[int], metric: str, home: Path
) -> Iterator[Trial]:
    """The trials as they end; a combination that optuna proposes again is not tried again."""
    if not request.trials:
        every = combinations(request.overs)
        for values in every:
            _pipeline(request, environment, values)  # what is wrong with any is said before the first runs
        for number, values in enumerate(every, 1):
            environment.console.say(f"trial {number} of {len(every)}: {', '.join(changes_of(values))}")
            yield _trial(number, values, request, environment, seeds, metric, home)
        return
    known: dict[str, Trial] = {}
    seed = _pipeline(request, environment, {}).spec.seed
    proposals = Proposals(request.overs, request.trials, seed)
    for place, values in enumerate(proposals, 1):
        key = fingerprint(dict(values))
        if key not in known:
            environment.console.say(f"trial {place} of {request.trials}: {', '.join(changes_of(values))}")
            known[key] = _trial(len(known) + 1, values, request, environment, seeds, metric, home)
            yield known[key]
        proposals.tell(None if known[key].failed else known[key].metrics[metric])


def _trial(
    number: int,
    values: OptionValues,
    request: SweepRequest,
    environment: RunEnvironment,
    seeds: Sequence[int],
    metric: str,
    home: Path,
) -> Trial:
    """One combination, with each seed; one that fails is told and left behind."""
    folder, judged, last = home / f"trial-{number}", [], dict[str, Ingredients]()
    try:
        pipeline = _pipeline(request, environment, values)
        for seed in seeds:
            place = folder if len(seeds) == 1 else folder / f"seed-{seed}"
            judged.append(_validated(pipeline, environment, seed, place, last))
    except GenrecError as error:
        environment.console.warn(f"trial {number} failed: {error}")
        return Trial(number, values, failed=error.message)
    spread = across_seeds([one.metrics for one in judged])
    ranks = np.stack([one.ranks for one in judged])
    at = pipeline.spec.cutoffs
    resamples = pipeline.spec.evaluate.resamples
    ends = seed_intervals(ranks, at) if len(ranks) > 1 else intervals(ranks[0], at, resamples)
    return Trial(
        number,
        values,
        {name: float(found["mean"]) for name, found in spread.items()},
        ends.get(metric),
        float(spread[metric]["std"]),
        sum(one.seconds for one in judged),
        ranks=ranks,
        protocol=judged[0].protocol,
    )


@dataclass(frozen=True)
class _Validated:
    """What one seed of a trial reached on validation rows."""

    metrics: Mapping[str, float]
    ranks: NDArray[np.int32]
    protocol: Mapping[str, Any]
    seconds: float


def _validated(
    pipeline: Pipeline,
    environment: RunEnvironment,
    seed: int,
    folder: Path,
    last: dict[str, Ingredients],
) -> _Validated:
    """Run a pipeline up to its validation figures; `last` is changed to what this trial was made of."""
    pipeline.refuse_missing_files()
    store = environment.store
    store.sweep()
    with Claim(store) as claim:
        with claim.planning():
            graph = Graph(pipeline, environment.registry, validation=True)
            plan = make_plan(graph, seed, store, last)
            claim.take(plan.artefacts(store))
        if any(entry.runs for entry in plan.entries):
            pipeline.refuse_unusable()
        folder.mkdir(parents=True, exist_ok=True)
        write_pipeline(folder / PIPELINE, pipeline.spec.described(seed))
        write_readable(folder / PLAN, plan_record(plan, folder, store.root, environment.versions, {}))
        note_run(store, folder, environment.runs, plan.artefacts(store))
        log = RunLog(None, console=environment.console)
        done = Runner(environment, log, graph.embed_stages(), graph.fits).carry_out(plan, list(graph.stages))
        record = plan_record(done.plan, folder, store.root, environment.versions, done.outcomes)
        write_readable(folder / PLAN, record)
        last.update({entry.stage.name: entry.ingredients for entry in plan.entries})
        metrics = orjson.loads((done.folders[VALIDATE] / METRICS).read_bytes())
        ranks = load_arrays(done.folders[VALIDATE] / RANKS)[0][MODEL_SYSTEM]
    seconds = sum(float(cost.get("seconds", 0.0)) for cost in done.cost.values())
    return _Validated(metrics["valid"], ranks, metrics["protocol"], seconds)


def _refuse_other_protocol(trials: Sequence[Trial], trial: Trial) -> None:
    """Figures that were measured differently select nothing.

    Raises:
        GenrecError: with the fields of the protocol that differ.
    """
    first = next((one for one in trials if not one.failed), None)
    if first is None or trial.failed or first.protocol == trial.protocol:
        return
    differing = [name for name, value in first.protocol.items() if trial.protocol.get(name) != value]
    named = ", ".join(f"`{name}`" for name in differing if name != "hash")
    raise GenrecError(
        f"trials {first.number} and {trial.number} are not measured alike: their protocols differ in {named}",
        hint="sweep over options of the model, not of the data or of how it is measured",
    )


def _lead(selected: Trial, other: Trial, metric: str) -> PairedDifference:
    """By how much the selected trial is ahead of another on the same validation rows."""
    assert selected.ranks is not None
    assert other.ranks is not None
    at = [int(metric.partition("@")[2] or selected.ranks.max(initial=1))]
    if len(selected.ranks) == 1:
        return differences(selected.ranks[0], other.ranks[0], at)[metric]
    return seed_differences(selected.ranks, other.ranks, at, paired=True)[metric]


def _record(
    metric: str, trials: Sequence[Trial], selected: Trial | None, behind: Mapping[int, PairedDifference]
) -> dict[str, Any]:
    return {
        "metric": metric,
        "selected": selected.number if selected else None,
        "trials": [
            {
                "number": one.number,
                "values": dict(one.values),
                "valid": dict(one.metrics),
                "interval": list(one.interval) if one.interval else None,
                "deviation": one.deviation,
                "seconds": round(one.seconds, 3),
                **({"behind": behind[one.number].plain()} if one.number in behind else {}),
                **({"failed": one.failed} if one.failed else {}),
            }
            for one in trials
        ],
    }


def _facts(swept: Swept, name: str, home: Path) -> SweepFacts:
    """What the report shows."""
    finished = swept.finished
    report = finished.folder / REPORT if finished.folder else None
    return SweepFacts(
        name=name,
        sweep_id=home.name,
        metric=swept.metric,
        trials=tuple(
            TrialFacts(
                one.number,
                one.values,
                one.metrics.get(swept.metric),
                one.interval,
                one.deviation,
                one.seconds,
                one.failed,
                swept.behind.get(one.number),
                selected=one is swept.selected,
            )
            for one in swept.trials
        ),
        seeds=len(swept.selected.ranks) if swept.selected.ranks is not None else 1,
        test=finished.metrics.get("test", {}),
        run=Path("..", report.parent.name, report.name).as_posix() if report else "",
    )
