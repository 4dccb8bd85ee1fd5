"""Compare: several finished runs, without putting in one column what was measured differently.

Runs are grouped by the hash of their protocol: each hash is a table of its own, and the protocol fields
in which the groups differ are named. Inside a table the runs were evaluated on the same examples in the same
order, so two runs that both kept their ranks are compared pairwise, which finds differences that their
separate intervals hide. Runs over several seeds are paired over seeds as well:

    seeds of a    seeds of b    compared by
    7             7, or 9       a bootstrap over users
    1, 2, 3       1, 2, 3       Student's t over users and seeds, seed by seed
    1, 2, 3       4, 5          Student's t over users and seeds
    1, 2, 3       7             Student's t over users and the seeds of a (what b varies by is not known)

Baselines stand in rows of the same table, once where all runs have the same figures for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from genrec_core.contracts.errors import DataError
from genrec_core.contracts.options import regular_file
from genrec_core.evaluation.evaluate import METRICS, MODEL_SYSTEM, ORACLE, RANKS
from genrec_core.evaluation.intervals import PairedDifference, differences
from genrec_core.evaluation.metrics import accuracy
from genrec_core.evaluation.metrics_file import read_metrics
from genrec_core.evaluation.report.facts import deviations
from genrec_core.evaluation.seeds import seed_differences, seed_intervals
from genrec_core.store.content import load_arrays


@dataclass(frozen=True)
class ComparedRun:
    """One finished run.

    Attributes:
        name: how the tables call it.
        folder: its run folder.
        metrics: the content of `metrics.json`.
        ranks: int32 [S, U], the model's ranks of the test examples by seed; None when the run kept none.
        seeds: the S seeds of a run with several; empty for a run with one.
    """

    name: str
    folder: Path
    metrics: Mapping[str, Any]
    ranks: NDArray[np.int32] | None = None
    seeds: tuple[str, ...] = ()

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The protocol it was evaluated under."""
        return dict(self.metrics.get("protocol", {}))


@dataclass(frozen=True)
class ComparedPair:
    """Run `ours` against run `theirs`, metric → difference; `test` says how the intervals were found."""

    ours: str
    theirs: str
    differences: Mapping[str, PairedDifference]
    test: str = ""


@dataclass(frozen=True)
class ComparedRow:
    """A row of a table: a run, or a baseline.

    Attributes:
        label: the pipeline's name, or the baseline's.
        role: `run`, `baseline` or `oracle`.
        seeds: how many seeds the figures are means of.
        metrics: metric → value.
        intervals: metric → both ends of its 95 % interval.
        deviations: metric → standard deviation over seeds; empty for one seed.
        single: the metrics of each seed of a run with several.
    """

    label: str
    role: str
    seeds: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]]
    deviations: Mapping[str, float]
    single: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class ProtocolTable:
    """Runs under one protocol, in the order they were named, with every pair that can be compared."""

    protocol: Mapping[str, Any]
    runs: tuple[ComparedRun, ...]
    pairs: tuple[ComparedPair, ...] = ()
    unpaired: tuple[str, ...] = ()

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that at least one run has, in the order of the first that has them."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics.get("test", {})))

    @property
    def rows(self) -> list[ComparedRow]:
        """The runs, then the baselines from best to worst, the oracle last."""
        return [*(_run_row(run) for run in self.runs), *_baseline_rows(self.runs)]


@dataclass(frozen=True)
class Comparison:
    """All tables, and what makes them several.

    Attributes:
        tables: one for each protocol hash.
        differing: protocol field → its value in each table, for the fields that are not the same in all.
    """

    tables: tuple[ProtocolTable, ...]
    differing: Mapping[str, list[Any]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As `genrec compare --json` prints it."""
        return {"tables": [_plain(table) for table in self.tables], "differing": dict(self.differing)}


def load_run(folder: Path, name: str = "") -> ComparedRun:
    """A run from its folder.

    Raises:
        DataError: the folder holds no finished run, or its files are damaged.
    """
    path = folder / METRICS
    if not path.is_file():
        raise DataError(
            f"`{folder}` holds no finished run",
            where=str(path),
            hint="name a run folder such as `runs/my-pipeline/latest`; it must hold `metrics.json`",
        )
    metrics = read_metrics(path)
    seeds = metrics.get("seeds", {})
    found = [_ranks(file) for file in _rank_files(folder, metrics) if file.is_file()]
    kept = [ranks for ranks in found if ranks is not None]
    whole = len(kept) == (len(seeds) or 1) and len({len(ranks) for ranks in kept}) == 1
    return ComparedRun(
        name or pipeline_name(folder), folder, metrics, np.stack(kept) if whole else None, tuple(seeds)
    )


def _ranks(file: Path) -> NDArray[np.int32] | None:
    """The model's ranks, int32 [U]; None where the file has none.

    Raises:
        DataError: they are none.
    """
    ranks = load_arrays(file)[0].get(MODEL_SYSTEM)
    if ranks is not None and (ranks.ndim != 1 or ranks.dtype != np.int32 or (ranks < 0).any()):
        raise DataError(
            f"`{MODEL_SYSTEM}` is `{ranks.dtype}{list(ranks.shape)}`, not a row of ranks from 0",
            where=str(file),
            hint="run the pipeline again",
        )
    return ranks


def _rank_files(folder: Path, metrics: Mapping[str, Any]) -> list[Path]:
    """Where the ranks of each seed are, in the run folder or in one for each seed."""
    folders = metrics.get("seeds", {}).values()
    inside = [folder / name for name in folders if isinstance(name, str) and Path(name).name == name]
    return [one / RANKS for one in inside or [folder]]


def pipeline_name(folder: Path) -> str:
    """The name in a run's pipeline; of a run without a pipeline file the names of its folders."""
    try:
        name = yaml.safe_load(regular_file(folder / "pipeline.yaml").read_text(encoding="utf-8"))["name"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return f"{folder.parent.name}/{folder.name}"
    return str(name)


def named_apart(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """The runs with labels that differ: where names are alike the run's folder is added, or else a number."""

    def apart(labels: Sequence[str], more: Sequence[str]) -> list[str]:
        alike = [labels.count(label) > 1 for label in labels]
        return [f"{one} ({add})" if same else one for one, add, same in zip(labels, more, alike, strict=True)]

    labels = apart([run.name for run in runs], [run.folder.resolve().name for run in runs])
    if len(set(labels)) < len(runs):
        labels = [run.name for run in runs]
        labels = apart(labels, [str(place) for place in range(1, len(runs) + 1)])
    return [replace(run, name=label) for run, label in zip(runs, labels, strict=True)]


def compare_runs(runs: Sequence[ComparedRun], resamples: int = 1000, seed: int = 0) -> Comparison:
    """Tables of runs, one for each protocol, with paired differences inside each.

    Raises:
        DataError: some runs were tried on a part of their data, and not all on the same.
    """
    _refuse_parts(runs)
    groups: dict[str, list[ComparedRun]] = {}
    for run in runs:
        groups.setdefault(str(run.protocol.get("hash", "")), []).append(run)
    tables = tuple(_table(group, resamples, seed) for group in groups.values())
    return Comparison(tables, _differing([table.protocol for table in tables]))


def _refuse_parts(runs: Sequence[ComparedRun]) -> None:
    limits = {run.name: run.protocol.get("limit") for run in runs}
    if len(set(limits.values())) > 1:
        said = (f"`{name}` {f'{limit:,} users' if limit else 'all data'}" for name, limit in limits.items())
        raise DataError(
            f"these runs did not use the same data: {', '.join(said)}",
            hint="compare what ran on all data, without --limit",
        )


def _table(runs: Sequence[ComparedRun], resamples: int, seed: int) -> ProtocolTable:
    kept = [(run, run.ranks) for run in runs if run.ranks is not None]
    pairs = tuple(
        _pair(run, ranks, other, others, resamples, seed)
        for (run, ranks), (other, others) in combinations(kept, 2)
    )
    return ProtocolTable(
        runs[0].protocol, tuple(runs), pairs, tuple(run.name for run in runs if run.ranks is None)
    )


def _pair(
    run: ComparedRun,
    ranks: NDArray[np.int32],
    other: ComparedRun,
    others: NDArray[np.int32],
    resamples: int,
    seed: int,
) -> ComparedPair:
    mine, theirs = ranks.shape[1], others.shape[1]
    if mine != theirs:
        raise DataError(
            f"`{run.name}` holds {mine:,} ranks and `{other.name}` {theirs:,} under one protocol",
            where=str(other.folder / RANKS),
            hint="one of the files is damaged: run that pipeline again",
        )
    at = _at(run, other)
    if len(ranks) == len(others) == 1:
        found = differences(ranks[0], others[0], at, resamples, seed)
        return ComparedPair(run.name, other.name, found, f"bootstrap over {mine:,} users, one seed")
    paired = run.seeds == other.seeds
    found = seed_differences(ranks, others, at, paired=paired)
    if paired:
        test = f"Student's t over {mine:,} users and {len(ranks)} seeds, seed by seed"
    elif min(len(ranks), len(others)) > 1:
        test = f"Student's t over {mine:,} users, {len(ranks)} and {len(others)} seeds"
    else:
        single = run.name if len(ranks) == 1 else other.name
        test = f"Student's t over {mine:,} users and the seeds of one: {single} has a single seed"
    return ComparedPair(run.name, other.name, found, test)


def _run_row(run: ComparedRun) -> ComparedRow:
    spread = run.metrics.get("spread", {}).get("test", {})
    intervals = run.metrics.get("intervals", {}).get("test", {})
    if not intervals and run.ranks is not None:
        intervals = seed_intervals(run.ranks, _at(run))
    single = [accuracy(ranks, _at(run)) for ranks in run.ranks] if run.seeds and run.ranks is not None else []
    return ComparedRow(
        run.name,
        "run",
        len(run.seeds) or 1,
        run.metrics.get("test", {}),
        intervals,
        deviations(spread),
        single,
    )


def _baseline_rows(runs: Sequence[ComparedRun]) -> list[ComparedRow]:
    found: dict[str, list[tuple[str, ComparedRow]]] = {}
    for run in runs:
        intervals = run.metrics.get("intervals", {}).get("baselines", {})
        spread = run.metrics.get("spread", {}).get("baselines", {})
        for name, values in run.metrics.get("baselines", {}).items():
            role, label = "oracle" if name == ORACLE else "baseline", name.removeprefix("core/")
            varied = deviations(spread.get(name, {}))
            row = ComparedRow(label, role, len(run.seeds) or 1, values, intervals.get(name, {}), varied)
            if all(row.metrics != other.metrics for _, other in found.get(name, [])):
                found.setdefault(name, []).append((run.name, row))
    rows = [
        replace(row, label=f"{row.label} ({owner})") if len(alike) > 1 else row
        for alike in found.values()
        for owner, row in alike
    ]
    return sorted(rows, key=lambda row: (row.role == "oracle", -_deepest_recall(row.metrics)))


def _deepest_recall(metrics: Mapping[str, float]) -> float:
    return max((value for name, value in metrics.items() if name.startswith("recall@")), default=0.0)


def _at(*runs: ComparedRun) -> list[int]:
    """Cut-offs that all runs were evaluated at; without a common one, those of the shallowest run."""
    cutoffs = [list(run.metrics.get("settings", {}).get("at", [10])) for run in runs]
    shared = [k for k in cutoffs[0] if all(k in other for other in cutoffs)]
    return shared or min(cutoffs, key=max)


def _differing(protocols: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for protocol in protocols for name in protocol if name != "hash")
    values = {name: [protocol.get(name) for protocol in protocols] for name in names}
    return {name: each for name, each in values.items() if any(value != each[0] for value in each)}


def _plain(table: ProtocolTable) -> dict[str, Any]:
    return {
        "protocol": dict(table.protocol),
        "runs": [
            {
                "name": run.name,
                "folder": str(run.folder),
                "seeds": list(run.seeds),
                "test": run.metrics.get("test", {}),
                "intervals": {name: list(ends) for name, ends in row.intervals.items()},
                "deviations": dict(row.deviations),
            }
            for run, row in zip(table.runs, table.rows, strict=False)
        ],
        "baselines": {
            row.label: {
                "test": dict(row.metrics),
                "intervals": dict(row.intervals),
                "deviations": dict(row.deviations),
            }
            for row in table.rows
            if row.role != "run"
        },
        "pairs": [
            {
                "ours": pair.ours,
                "theirs": pair.theirs,
                "test": pair.test,
                "differences": {name: found.plain() for name, found in pair.differences.items()},
            }
            for pair in table.pairs
        ],
        "without_ranks": list(table.unpaired),
    }
