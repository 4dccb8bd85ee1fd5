"""Protocol: how it was judged, with the hash that two runs must share to be compared."""

from __future__ import annotations

from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Section, section, tag
from genrec_core.evaluation.report.numbers import plain


def protocol_section(facts: ReportFacts) -> Section | None:
    """Every field of the protocol, the judge's settings, and what was done to the data."""
    protocol = dict(facts.metrics.get("protocol", {}))
    digest = str(protocol.pop("hash", ""))
    settings = facts.metrics.get("settings", {})
    fields = {
        **protocol,
        "cut-offs": settings.get("at", []),
        "resamples": settings.get("resamples", 0),
    }
    entries = [
        tag("div", tag("dt", name.replace("_", " ")), tag("dd", plain(value)))
        for name, value in fields.items()
    ]
    notes = tag("ul", [tag("li", note) for note in facts.notes], class_="notes") if facts.notes else None
    return section(
        "protocol",
        "Protocol",
        "Figures compare only under the same hash.",
        tag("p", tag("code", digest, class_="digest")) if digest else None,
        tag("dl", entries, class_="facts"),
        tag("div", tag("h3", "What was done to the data"), notes, class_="block") if notes else None,
    )


def pipeline_section(facts: ReportFacts) -> Section | None:
    """The pipeline file as resolved, folded away."""
    if not facts.pipeline_yaml:
        return None
    code = tag("pre", tag("code", facts.pipeline_yaml))
    return section(
        "pipeline",
        "Pipeline",
        "Every default filled in: running this file gives this report again.",
        tag("details", tag("summary", "pipeline.yaml"), code),
    )
