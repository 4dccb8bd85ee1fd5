"""Training: the curves that each step logged."""

from __future__ import annotations

from genrec_core.evaluation.report.curves import curve
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Section, section, tag


def training_section(facts: ReportFacts) -> Section | None:
    """Small charts, one a curve, under the name of their step."""
    steps = [
        tag(
            "div",
            tag("h3", step),
            tag(
                "div",
                [curve(name.replace("_", " "), points) for name, points in curves.items()],
                class_="charts",
            ),
            class_="block",
        )
        for step, curves in facts.curves.items()
        if curves
    ]
    if not steps:
        return None
    return section(
        "training", "Training", "By optimiser step; the figure beside a name is the last value.", *steps
    )
