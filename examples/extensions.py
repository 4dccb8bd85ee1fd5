"""What a plugin adds besides components: a command, named by its place, and a section of the report."""

from __future__ import annotations

from genrec_core import Registry, hookimpl
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.rendering import Section, section, templated


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register a command and a section."""
    registry.command("serve", "genrec_plugin_serve.command:serve", "Answer requests over HTTP.")
    registry.section("latency", "genrec_plugin_serve.report:latency")


def latency(run: ReportFacts) -> Section | None:
    """How long the stages took that answered requests."""
    seconds = {stage: cost["seconds"] for stage, cost in run.metrics.get("cost", {}).items()}
    if "recommend" not in seconds:
        return None
    template = '{% from "macros.html.jinja" import facts %}{{ facts([("All requests", seconds|duration)]) }}'
    content = templated(template, seconds=seconds["recommend"])
    return section("latency", "Latency", "Of the whole test view.", content)
