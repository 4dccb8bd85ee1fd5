"""Compare: several finished runs, without putting in one column what was measured differently.

Runs are grouped by the hash of their protocol: each hash is a table of its own, and the protocol fields
in which the groups differ are named. Inside a table the runs were evaluated on the same examples in the same
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
from genrec_core.evaluation.evaluate import METRICS, MODEL_SYSTEM, RANKS
from genrec_core.evaluation.intervals import PairedDifference, differences
from genrec_core.store.content import load_arrays


@dataclass(frozen=True)
class ComparedRun:
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
        """The protocol it was evaluated under."""
        return dict(self.metrics.get("protocol", {}))


@dataclass(frozen=True)
class ComparedPair:
    """ComparedRun `ours` against run `theirs`, metric → difference."""

    ours: str
    theirs: str
    differences: Mapping[str, PairedDifference]


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
    try:
        metrics = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(
            f"this is no JSON: {error}", where=str(path), hint="run the pipeline again"
        ) from error
    if not isinstance(metrics, dict) or not isinstance(metrics.get("protocol"), dict):
        raise DataError("these metrics name no protocol", where=str(path), hint="run the pipeline again")
    ranks = load_arrays(folder / RANKS)[0].get(MODEL_SYSTEM) if (folder / RANKS).is_file() else None
    return ComparedRun(name or folder.name, folder, metrics, ranks)


def compare_runs(runs: Sequence[ComparedRun], resamples: int = 1000, seed: int = 0) -> Comparison:
    """Tables of runs, one for each protocol, with paired differences inside each."""
    groups: dict[str, list[ComparedRun]] = {}
    for run in runs:
        groups.setdefault(str(run.protocol.get("hash", "")), []).append(run)
    tables = tuple(_table(group, resamples, seed) for group in groups.values())
    return Comparison(tables, _differing([table.protocol for table in tables]))


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
    if len(ranks) != len(others):
        raise DataError(
            f"`{run.name}` holds {len(ranks):,} ranks and `{other.name}` {len(others):,} under one protocol",
            where=str(other.folder / RANKS),
            hint="one of the files is damaged: run that pipeline again",
        )
    return ComparedPair(run.name, other.name, differences(ranks, others, _at(run, other), resamples, seed))


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
