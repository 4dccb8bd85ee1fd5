"""Seeds: the section of a run with several: what each seed reached, and where its own report is."""

from __future__ import annotations

from genrec_core.evaluation.report.facts import ReportFacts, headline_metric, metric_columns, title
from genrec_core.evaluation.report.rendering import Section, core_section


def seeds(facts: ReportFacts) -> Section | None:
    """One row a seed, validation beside test; left out where there is one."""
    if not facts.seeds:
        return None
    folders = facts.metrics.get("seeds", {})
    columns = metric_columns(facts.metrics.get("test", {}), coverage=False)
    selected = headline_metric(facts, "ndcg")
    return core_section(
        "seeds",
        "Seeds",
        "Each seed trains another model on the same data; how far they part is the standard deviation.",
        columns=columns,
        selected=title(selected),
        rows=[
            (seed, f"{folders.get(seed, '')}/report.html", one["test"], one.get("valid", {}).get(selected))
            for seed, one in facts.seeds.items()
        ],
    )
