"""Comparing runs in Python: what `genrec compare` says, shown as tables in Jupyter.

found = genrec.compare(first, "runs/other/latest")
found.latex()
found.differences("recall@10")      # {("first", "other"): (0.0041, -0.0012, 0.0094, 0.13)}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from genrec_core.api.runs import Run, open_finished
from genrec_core.contracts.errors import GenrecError
from genrec_core.evaluation.compare import Comparison, compare_runs, load_run, named_apart
from genrec_core.evaluation.tables import as_csv, as_latex, as_markdown

FEWEST = 2


class Difference(NamedTuple):
    """How far one run is ahead of another.

    Attributes:
        difference: of the metric.
        low, high: ends of the 95 % interval.
        p: how likely so large a difference is where there is none.
    """

    difference: float
    low: float
    high: float
    p: float


class Compared:
    """Runs beside each other.

    Attributes:
        comparison: tables by protocol, with every figure.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    def latex(self) -> str:
        """Tables for a paper that loads `booktabs`."""
        return as_latex(self.comparison)

    def markdown(self) -> str:
        """Tables as Markdown."""
        return as_markdown(self.comparison)

    def csv(self) -> str:
        """Every figure and every paired difference, one a line."""
        return as_csv(self.comparison)

    def plain(self) -> dict[str, Any]:
        """As `genrec compare --json` prints it."""
        return self.comparison.plain()

    def differences(self, metric: str) -> dict[tuple[str, str], Difference]:
        """(ours, theirs) → how far ours is ahead, of the pairs that were evaluated under one protocol."""
        found = {}
        for table in self.comparison.tables:
            for pair in table.pairs:
                if metric in pair.differences:
                    one = pair.differences[metric]
                    found[pair.ours, pair.theirs] = Difference(one.difference, *one.interval, one.p)
        return found

    def __repr__(self) -> str:
        return self.markdown()

    def _repr_markdown_(self) -> str:
        return self.markdown()


def compare(*runs: Run | str | Path, resamples: int = 1000, seed: int = 0) -> Compared:
    """Compare finished runs: figures with intervals, baselines, and paired differences over users and seeds.

    Runs that were evaluated under different protocols stand in separate tables.

    Args:
        *runs: opened runs, or their folders.
        resamples: of the bootstrap, where a run has one seed.
        seed: of the bootstrap.

    Raises:
        GenrecError: fewer than two runs, or a folder that holds no finished run.
    """
    if len(runs) < FEWEST:
        raise GenrecError(f"{len(runs)} runs cannot be compared", hint="name two or more")
    folders = [run.folder if isinstance(run, Run) else open_finished(run).folder for run in runs]
    return Compared(compare_runs(named_apart([load_run(folder) for folder in folders]), resamples, seed))
