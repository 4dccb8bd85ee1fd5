"""Naming: the health of the identifiers: who shares one, how long they are, how evenly codes are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec_core.evaluation.report.bars import Bar, bar_chart
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Markup, Section, section, tag
from genrec_core.evaluation.report.numbers import count, percent


def naming_section(facts: ReportFacts) -> Section | None:
    """Figures for the whole catalogue and one bar a token position."""
    health = facts.metrics.get("identifiers") or {}
    if not health:
        return None
    return section(
        "identifiers",
        "Identifiers",
        "Perplexity is how many codes an even spread would need to be as varied as this one; far below the "
        "number of codes in use, a level has collapsed.",
        tag("dl", [_fact(*fact) for fact in _facts(health)], class_="facts"),
        _levels(health),
    )


def _facts(health: Mapping[str, Any]) -> list[tuple[str, str]]:
    length = health.get("length", {})
    facts = []
    if "items" in health:
        facts.append(("Items", count(health["items"])))
    if "distinct" in health:
        facts.append(("Distinct identifiers", count(health["distinct"])))
    if "collision_rate" in health:
        facts.append(("Items that share one", percent(health["collision_rate"])))
    if "largest_bucket" in health:
        facts.append(("Most items on one", count(health["largest_bucket"])))
    if length:
        ends = (length["min"], length["max"])
        spread = (
            f"{ends[0]} to {ends[1]}, mean {length['mean']:.2f}" if ends[0] != ends[1] else f"{ends[0]} each"
        )
        facts.append(("Tokens", spread))
    return facts


def _fact(name: str, value: str) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value))


def _levels(health: Mapping[str, Any]) -> Markup | None:
    levels = health.get("levels", [])
    bars = [
        Bar(
            label=f"Position {level['level']}",
            value=level["codes"],
            text=f"{count(level['codes'])} codes, perplexity {level['perplexity']:.1f}",
            note=f"most used: {percent(level['largest_share'])} of items",
            inner=level["perplexity"],
        )
        for level in levels
    ]
    return bar_chart(bars, caption="Codes in use; the solid part is their perplexity") if bars else None
