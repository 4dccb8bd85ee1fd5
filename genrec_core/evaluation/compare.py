"""Compare: several finished runs, without putting in one column what was measured differently.

Runs are grouped by the hash of their protocol: each hash is a table of its own, and the protocol fields
in which the groups differ are named. Inside a table the runs were judged on the same examples in the same
order, so two runs that both kept their ranks are compared pairwise, which finds differences that their
separate intervals hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.errors import DataError
from genrec_core.evaluation.intervals import Difference, differences
from genrec_core.evaluation.judge import MODEL, RANKS
from genrec_core.store.arrays import load_arrays

METRICS = "metrics.json"


@dataclass(frozen=True)
class Run:
    """One finished run.

    Attributes:
        name: how the tables call it.
        folder: its run folder.
        metrics: the content of `metrics.json`.
        ranks: int32 [U], the model's ranks of the test examples; None when the run kept none.
    """

    name: str
    folder: Path
    metrics: Mapping[str, Any]
    ranks: NDArray[np.int32] | None = None

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The protocol it was judged under."""
        return dict(self.metrics.get("protocol", {}))


Ranked = tuple[Run, NDArray[np.int32]]


@dataclass(frozen=True)
class Pair:
    """Run `ours` against run `theirs`, metric → difference."""

    ours: str
    theirs: str
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class Table:
    """Runs under one protocol, in the order they were named, with every pair that can be compared."""

    protocol: Mapping[str, Any]
    runs: tuple[Run, ...]
    pairs: tuple[Pair, ...] = ()
    unpaired: tuple[str, ...] = ()

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that at least one run has, in the order of the first that has them."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics.get("test", {})))


@dataclass(frozen=True)
class Comparison:
    """All tables, and what makes them several.

    Attributes:
        tables: one for each protocol hash.
        differing: protocol field → its value in each table, for the fields that are not the same in all.
    """

    tables: tuple[Table, ...]
    differing: Mapping[str, list[Any]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As `genrec compare --json` prints it."""
        return {"tables": [_plain(table) for table in self.tables], "differing": dict(self.differing)}


def load_run(folder: Path, name: str = "") -> Run:
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
    try:
        metrics = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(
            f"this is no JSON: {error}", where=str(path), hint="run the pipeline again"
        ) from error
    if not isinstance(metrics, dict) or not isinstance(metrics.get("protocol"), dict):
        raise DataError("these metrics name no protocol", where=str(path), hint="run the pipeline again")
    ranks = load_arrays(folder / RANKS)[0].get(MODEL) if (folder / RANKS).is_file() else None
    return Run(name or folder.name, folder, metrics, ranks)


def compare(runs: Sequence[Run], resamples: int = 1000, seed: int = 0) -> Comparison:
    """Tables of runs, one for each protocol, with paired differences inside each."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(str(run.protocol.get("hash", "")), []).append(run)
    tables = tuple(_table(group, resamples, seed) for group in groups.values())
    return Comparison(tables, _differing([table.protocol for table in tables]))


def _table(runs: Sequence[Run], resamples: int, seed: int) -> Table:
    kept = [(run, run.ranks) for run in runs if run.ranks is not None]
    pairs = tuple(_pair(ours, theirs, resamples, seed) for ours, theirs in combinations(kept, 2))
    return Table(runs[0].protocol, tuple(runs), pairs, tuple(run.name for run in runs if run.ranks is None))


def _pair(ours: Ranked, theirs: Ranked, resamples: int, seed: int) -> Pair:
    (one, mine), (other, others) = ours, theirs
    if len(mine) != len(others):
        raise DataError(
            f"`{one.name}` holds {len(mine):,} ranks and `{other.name}` {len(others):,} under one protocol",
            where=str(other.folder / RANKS),
            hint="one of the files is damaged: run that pipeline again",
        )
    found = differences(mine, others, _at(one, other), resamples, seed)
    return Pair(one.name, other.name, found)


def _at(*runs: Run) -> list[int]:
    """Cut-offs that all runs were judged at; without a common one, those of the shallowest run."""
    cutoffs = [list(run.metrics.get("settings", {}).get("at", [10])) for run in runs]
    shared = [k for k in cutoffs[0] if all(k in other for other in cutoffs)]
    return shared or min(cutoffs, key=max)


def _differing(protocols: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for protocol in protocols for name in protocol if name != "hash")
    values = {name: [protocol.get(name) for protocol in protocols] for name in names}
    return {name: each for name, each in values.items() if any(value != each[0] for value in each)}


def _plain(table: Table) -> dict[str, Any]:
    return {
        "protocol": dict(table.protocol),
        "runs": [
            {
                "name": run.name,
                "folder": str(run.folder),
                "test": run.metrics.get("test", {}),
                "intervals": run.metrics.get("intervals", {}).get("test", {}),
            }
            for run in table.runs
        ],
        "pairs": [
            {
                "ours": pair.ours,
                "theirs": pair.theirs,
                "differences": {name: found.plain() for name, found in pair.differences.items()},
            }
            for pair in table.pairs
        ],
        "without_ranks": list(table.unpaired),
    }
