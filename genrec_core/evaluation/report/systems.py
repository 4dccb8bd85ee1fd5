"""Systems: who stands in the metric tables, read out of `metrics.json` once for every section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genrec_core.evaluation.evaluate import ORACLE
from genrec_core.evaluation.report.dots import Dot
from genrec_core.evaluation.report.facts import ReportFacts

ROLES = {"model": "model", ORACLE: "oracle"}


@dataclass(frozen=True)
class System:
    """One system: its label, role (`model`, `baseline` or `oracle`), metrics and intervals."""

    label: str
    role: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def dot(self, metric: str) -> Dot:
        """The system as a row of a plot of `metric`."""
        return Dot(self.label, self.metrics[metric], self.intervals.get(metric), self.role)


def systems_of(facts: ReportFacts) -> list[System]:
    """The model first, then baselines from best to worst, the oracle last."""
    metrics, bounds = facts.metrics, facts.metrics.get("intervals", {})
    found = [
        _system(short(name), ROLES.get(name, "baseline"), values, bounds.get("baselines", {}).get(name, {}))
        for name, values in metrics.get("baselines", {}).items()
    ]
    deepest = headline_metric(facts)
    found.sort(key=lambda system: (system.role == "oracle", -system.metrics.get(deepest, 0.0)))
    if metrics.get("test"):
        found.insert(0, _system(facts.name, "model", metrics["test"], bounds.get("test", {})))
    return found


def headline_metric(facts: ReportFacts, name: str = "recall") -> str:
    """Recall (or another metric) at 10, or at the deepest cut-off where there is no 10."""
    at = list(facts.metrics.get("settings", {}).get("at", [10]))
    return f"{name}@{10 if 10 in at else max(at)}"


def short(name: str) -> str:
    """A baseline's name without its plugin, where that is the core."""
    return name.removeprefix("core/")


def _system(label: str, role: str, metrics: Mapping[str, float], intervals: Mapping[str, Any]) -> System:
    return System(label, role, metrics, {name: (ends[0], ends[1]) for name, ends in intervals.items()})
