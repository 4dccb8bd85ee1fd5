"""Systems: who stands in the metric tables, and how metrics are called there, on pages and in terminals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genrec_core.evaluation.evaluate import MODEL_SYSTEM, ORACLE
from genrec_core.evaluation.report.charts import Dot, Interval
from genrec_core.evaluation.report.facts import ReportFacts

ROLES = {MODEL_SYSTEM: "model", ORACLE: "oracle"}

WORDS = {"ndcg": "NDCG", "mrr": "MRR", "vr": "VR", "dhr": "DHR"}


@dataclass(frozen=True)
class System:
    """One system: its label, role (`model`, `baseline` or `oracle`), metrics and intervals."""

    label: str
    role: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]]

    def dot(self, metric: str, role: str = "") -> Dot:
        """The system as a row of a plot of `metric`."""
        return Dot(self.label, self.metrics[metric], interval_of(self.intervals, metric), role or self.role)


def systems_of(facts: ReportFacts) -> list[System]:
    """The model first, then baselines from best to worst, the oracle last."""
    metrics, bounds = facts.metrics, facts.metrics.get("intervals", {})
    found = [
        System(short(name), ROLES.get(name, "baseline"), values, bounds.get("baselines", {}).get(name, {}))
        for name, values in metrics.get("baselines", {}).items()
    ]
    deepest = headline_metric(facts)
    found.sort(key=lambda system: (system.role == "oracle", -system.metrics.get(deepest, 0.0)))
    if metrics.get("test"):
        found.insert(0, System(facts.name, "model", metrics["test"], bounds.get("test", {})))
    return found


def short_rows(facts: ReportFacts) -> str:
    """Which systems gave fewer items than the deepest cut-off, and how often; empty where none did."""
    metrics = facts.metrics
    examples = metrics.get("counts", {}).get("test", {}).get("examples", 0)
    names = [
        f"{facts.name if name == MODEL_SYSTEM else short(name)} {count} of {examples:,}"
        for name, count in metrics.get("short", {}).items()
        if count
    ]
    deepest = max(metrics.get("settings", {}).get("at", [10]))
    return f"rows with fewer than {deepest} items: {', '.join(names)}" if names else ""


def headline_metric(facts: ReportFacts, name: str = "recall") -> str:
    """Recall (or another metric) at 10, or at the deepest cut-off where there is no 10."""
    at = list(facts.metrics.get("settings", {}).get("at", [10]))
    return f"{name}@{10 if 10 in at else max(at)}"


def metric_columns(metrics: Iterable[str], *, coverage: bool = True) -> list[str]:
    """The metrics that a table of systems has as columns."""
    wanted = ("recall@", "ndcg@", "mrr") + (("coverage@",) if coverage else ())
    return [name for name in metrics if name.startswith(wanted) and "_" not in name]


def title(metric: str) -> str:
    """A metric's name as it is printed: `Recall@10`, `NDCG@5`, `MRR`."""
    name, _, k = metric.partition("@")
    word = WORDS.get(name, name.capitalize())
    return f"{word}@{k}" if k else word


def short(name: str) -> str:
    """A baseline's name without its plugin, where that is the core."""
    return name.removeprefix("core/")


def interval_of(intervals: Mapping[str, Any], metric: str) -> Interval | None:
    """Both ends of a metric's interval, where it has one."""
    return (intervals[metric][0], intervals[metric][1]) if metric in intervals else None
