"""Sweep: the page of a sweep, one plot and one table of its trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from genrec_core.evaluation.intervals import PairedDifference
from genrec_core.evaluation.report.facts import title
from genrec_core.evaluation.report.figures import Dot, plain
from genrec_core.evaluation.report.rendering import page, section, templated


@dataclass(frozen=True)
class TrialFacts:
    """One trial as it is shown.

    Attributes:
        number: its place.
        values: option → value.
        value: of the metric that selects, on validation rows; None where the trial failed.
        interval: 95 % of it.
        deviation: over seeds.
        seconds: what its artefacts cost.
        failed: why it failed.
        behind: the selected trial's lead.
        selected: whether it is the selected one.
    """

    number: int
    values: Mapping[str, Any]
    value: float | None
    interval: tuple[float, float] | None
    deviation: float
    seconds: float
    failed: str
    behind: PairedDifference | None
    selected: bool

    @property
    def label(self) -> str:
        """Its values in short: the last step of each option's way."""
        return ", ".join(f"{path.rpartition('.')[2]} {plain(value)}" for path, value in self.values.items())


@dataclass(frozen=True)
class SweepFacts:
    """Everything that the page shows.

    Attributes:
        name: the pipeline's.
        sweep_id: the sweep's.
        metric: that selects.
        trials: in order.
        seeds: how many each trial was run with.
        test: the selected run's test metrics.
        run: where the selected run's report is, from here.
    """

    name: str
    sweep_id: str
    metric: str
    trials: tuple[TrialFacts, ...]
    seeds: int = 1
    test: Mapping[str, float] = field(default_factory=dict)
    run: str = ""


def short_options(paths: Iterable[str]) -> list[str]:
    """The last step of each option's way, or the whole way where two end alike."""
    whole = list(paths)
    last = [path.rpartition(".")[2] for path in whole]
    return [short if last.count(short) == 1 else path for path, short in zip(whole, last, strict=True)]


def write_sweep(path: Path, facts: SweepFacts) -> None:
    """Write the page of a sweep to `path`."""
    done = sorted((one for one in facts.trials if one.value is not None), key=lambda one: -(one.value or 0.0))
    dots = [
        Dot(
            one.label,
            one.value or 0.0,
            one.interval,
            "model" if one.selected else "baseline",
            f"trial {one.number}",
        )
        for one in done
    ]
    over = "users and seeds (Student's t)" if facts.seeds > 1 else "users"
    lead = (
        f"{title(facts.metric)} of validation rows, means of {facts.seeds} seeds. "
        if facts.seeds > 1
        else f"{title(facts.metric)} of validation rows. "
    )
    lead += (
        f"Bars and brackets are 95 % intervals over {over}. The best of many is the best partly by chance."
    )
    content = templated(
        files(__package__).joinpath("templates/trials.html.jinja").read_text(encoding="utf-8"),
        heading=f"{title(facts.metric)}, validation",
        dots=dots,
        metric=title(facts.metric),
        options=list(facts.trials[0].values),
        named=short_options(facts.trials[0].values),
        trials=facts.trials,
        test=[(title(name), facts.test[name]) for name in (facts.metric,) if name in facts.test],
        run=facts.run,
    )
    found = f"{len(facts.trials)} trials"
    path.write_text(
        page(facts.name, f"Sweep {facts.sweep_id} · {found}", [section("trials", "Trials", lead, content)]),
        encoding="utf-8",
    )
