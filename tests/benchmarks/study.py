"""What studies share: a pipeline with some options changed, run in one store, a row a variant.

A study is a table of named variants and a function that makes a variant's row. Stages that variants have in
common are computed once, and a study that was stopped goes on where it was when it is started again.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.cli.environment import StoreAndRuns, environment
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import Finished, run_pipeline
from tests.benchmarks.measuring import machine, write

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
SHARED = ROOT.parent / "shared" / "data"

Row = tuple[dict[str, Any], str]
"""A row for the file, and the line that is printed."""


def parser(description: str | None, home: str) -> argparse.ArgumentParser:
    """The flags of every study; its module's first line describes it."""
    options = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    options.add_argument("--only", default="", help="regular expression in a row's name")
    options.add_argument("--set", action="append", default=[], help="an option of every variant")
    options.add_argument("--home", type=Path, default=Path(home), help="store and runs")
    options.add_argument("--json", type=Path, help="file for the figures")
    return options


def report(chosen: argparse.Namespace, names: Iterable[str], rows: Callable[[str], Iterable[Row]]) -> None:
    """Print the rows of the chosen names as they come, and write them."""
    print(machine())
    found = []
    for name in names:
        if re.search(chosen.only, name):
            for row, line in rows(name):
                found.append(row)
                print(line, flush=True)
    write(chosen.json, {}, found)


def ran(file: Path, changes: Iterable[str], home: Path) -> Finished:
    """The finished run of a pipeline file with options changed."""
    home = home.resolve()
    shop = environment(StoreAndRuns(home / "store", home / "runs"), quiet=True)
    return run_pipeline(load_pipeline(file, shop.registry, tuple(changes)), shop)


def interval(values: NDArray[np.float64], resamples: int = 1000) -> tuple[float, float]:
    """The middle 95 % of the mean when users and seeds are drawn again, each with replacement.

    Differences of two variants go in as one matrix, so they are paired over users and seeds. With one seed
    this is the interval over users alone, and says nothing about training again.

    Args:
        values: float64 [S, U], of each seed and test user.
        resamples: how often.
    """
    generator = np.random.default_rng(values.shape)
    means = []
    for _ in range(resamples):
        seeds = np.bincount(generator.integers(len(values), size=len(values)), minlength=len(values))
        users = np.bincount(
            generator.integers(values.shape[1], size=values.shape[1]), minlength=values.shape[1]
        )
        means.append(float(seeds @ values @ users) / values.size)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def conclusion(values: NDArray[np.float64], against: str) -> str:
    """What differences of each seed and user say; no conclusion where the interval holds zero."""
    low, high = interval(values)
    word = "ahead of" if low > 0 else "behind" if high < 0 else "no conclusion against"
    return f"{values.mean():+.4f} [{low:+.4f}, {high:+.4f}], {word} {against}"


def seconds(metrics: dict[str, Any]) -> dict[str, int]:
    """What each stage took."""
    return {stage: round(cost["seconds"]) for stage, cost in metrics["cost"].items()}


def packaged(package: str, pattern: str) -> Path | None:
    """A model file or folder that ships inside an installed package; None where it is not installed."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    return next(Path(found.origin).parent.glob(pattern), None)
