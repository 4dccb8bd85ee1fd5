"""Headline: the few figures that a reader takes away, each with what it stands against."""

from __future__ import annotations

from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Markup, tag
from genrec_core.evaluation.report.numbers import count, duration, percent, share
from genrec_core.evaluation.report.systems import headline_metric, systems_of


def headline(facts: ReportFacts) -> Markup:
    """Up to four figures: the metric, against the best baseline, against the oracle, and the cost."""
    figures = [one for one in (_metric(facts), _against(facts), _oracle(facts), _cost(facts)) if one]
    return tag("div", figures, class_="figures")


def _figure(label: str, value: str, note: str, role: str = "") -> Markup:
    return tag(
        "div",
        tag("span", label, class_="label"),
        tag("strong", value),
        tag("span", note, class_="note"),
        class_=f"figure {role}".strip(),
    )


def _metric(facts: ReportFacts) -> Markup | None:
    metric = headline_metric(facts)
    systems = [system for system in systems_of(facts) if metric in system.metrics]
    if not systems:
        return None
    first = systems[0]
    ends = first.intervals.get(metric)
    bounds = f"95 % between {share(ends[0])} and {share(ends[1])}" if ends else first.label
    return _figure(metric.replace("recall", "Recall"), share(first.metrics[metric]), bounds, "main")


def _against(facts: ReportFacts) -> Markup | None:
    metric = headline_metric(facts)
    systems = systems_of(facts)
    rivals = [s for s in systems if s.role == "baseline" and s.metrics.get(metric)]
    if not rivals or systems[0].role != "model":
        return None
    ratio = systems[0].metrics[metric] / rivals[0].metrics[metric]
    return _figure("Against the best baseline", f"{ratio:.2f} ×", f"{rivals[0].label}, the same examples")


def _oracle(facts: ReportFacts) -> Markup | None:
    reached = facts.metrics.get("share_of_oracle", {}).get(headline_metric(facts))
    if reached is None:
        return None
    return _figure("Share of the oracle", percent(reached, 0), "of what anyone could reach on this data")


def _cost(facts: ReportFacts) -> Markup | None:
    seconds = sum(cost.get("seconds", 0.0) for cost in facts.metrics.get("cost", {}).values())
    examples = facts.metrics.get("counts", {}).get("test", {}).get("examples", 0)
    if not seconds:
        return _figure("Test examples", count(examples), "all of them in every denominator")
    return _figure("Time", duration(seconds), f"all stages, {count(examples)} test examples judged")
