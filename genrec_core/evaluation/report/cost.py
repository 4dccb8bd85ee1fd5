"""Cost: the stages of the run, how long each took and why it ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec_core.evaluation.report.facts import ReportFacts, StageFacts
from genrec_core.evaluation.report.markup import Markup, Section, section, tag
from genrec_core.evaluation.report.numbers import duration, plain


def cost_section(facts: ReportFacts) -> Section | None:
    """One row a stage: time as a bar, what else was measured, whether it was reused and why."""
    costs = facts.metrics.get("cost", {})
    stages = list(facts.plan) or [StageFacts(name, "run") for name in costs]
    if not stages:
        return None
    longest = max((cost.get("seconds", 0.0) for cost in costs.values()), default=0.0) or 1.0
    head = tag("tr", [tag("th", name) for name in ("Stage", "Time", "", "Measured", "This time")])
    rows = [_row(stage, costs.get(stage.name, {}), longest) for stage in stages]
    total = sum(cost.get("seconds", 0.0) for cost in costs.values())
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="compact cost")
    lead = (
        f"{duration(total)} altogether. A reused stage shows what it cost when it was made." if total else ""
    )
    return section("cost", "Cost", lead, tag("div", table, class_="scroll"))


def _row(stage: StageFacts, cost: Mapping[str, Any], longest: float) -> Markup:
    seconds = cost.get("seconds")
    width = f"width:{(seconds or 0.0) / longest:.2%}"
    others = ", ".join(_measured(key, value) for key, value in cost.items() if key != "seconds")
    return tag(
        "tr",
        tag("th", stage.name, scope="row"),
        tag("td", duration(seconds) if seconds is not None else "–", class_="num"),
        tag("td", tag("span", tag("i", class_="bar", style=width), class_="track"), class_="wide"),
        tag("td", others, class_="quiet"),
        tag("td", tag("span", stage.outcome, class_=f"tag {stage.outcome}"), tag("small", stage.why)),
        title=stage.fingerprint or None,
    )


def _measured(key: str, value: object) -> str:
    """`peak_mb` of 812 as `peak 812 MB`, `tokens` of 42000 as `42,000 tokens`."""
    if key.endswith("_mb"):
        return f"{key.removesuffix('_mb').replace('_', ' ')} {plain(value)} MB"
    return f"{plain(value)} {key.replace('_', ' ')}"
