"""Drift: the section that sets validation beside a later test period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from genrec_core.evaluation.report.facts import ReportFacts, headline_metric, interval_of, title
from genrec_core.evaluation.report.figures import Dot, percent, signed
from genrec_core.evaluation.report.rendering import Section, core_section


def drift(facts: ReportFacts) -> Section | None:
    """By how much validation and test part, and how far popularity moved between their periods."""
    moved, metrics = facts.metrics.get("drift"), facts.metrics
    if not moved:
        return None
    drawn = [headline_metric(facts), headline_metric(facts, "ndcg")]
    views = ("valid", "test")
    ends = metrics.get("intervals", {})
    return core_section(
        "drift",
        "Validation and test",
        "The split cuts in time: models are selected on one period and reported on a later one.",
        plots=[
            (
                f"{title(name)}, test {signed(metrics['test'][name] - metrics['valid'][name])}",
                [
                    Dot(label, metrics[view][name], interval_of(ends.get(view, {}), name), role)
                    for view, label, role in zip(
                        views, ("validation", "test"), ("baseline", "model"), strict=True
                    )
                ],
            )
            for name in drawn
            if all(name in metrics.get(view, {}) for view in views)
        ],
        entries=[
            ("Validation period", _period(moved["valid_period"])),
            ("Test period", _period(moved["test_period"])),
            ("Choices that moved to other items", percent(moved["distance"])),
            ("The same by chance", percent(moved["by_chance"])),
        ],
    )


def _period(ends: Sequence[float]) -> str:
    try:
        first, last = (datetime.fromtimestamp(end, UTC).date().isoformat() for end in ends)
    except (OverflowError, ValueError, OSError):  # times that are no dates, such as positions
        first, last = (f"{end:,.6g}" for end in ends)
    return first if first == last else f"{first} to {last}"
