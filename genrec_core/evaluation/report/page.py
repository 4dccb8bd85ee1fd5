"""Page: the sections in order, in one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from string import Template

from genrec_core.evaluation.report.accuracy import accuracy_section
from genrec_core.evaluation.report.bands import bands_section
from genrec_core.evaluation.report.cost import cost_section
from genrec_core.evaluation.report.doctor import doctor_section
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.headline import headline
from genrec_core.evaluation.report.honesty import honesty_section
from genrec_core.evaluation.report.markup import Markup, Section, joined
from genrec_core.evaluation.report.naming import naming_section
from genrec_core.evaluation.report.protocol import pipeline_section, protocol_section
from genrec_core.evaluation.report.shown import shown_section
from genrec_core.evaluation.report.training import training_section

SECTIONS = (
    accuracy_section,
    honesty_section,
    bands_section,
    shown_section,
    naming_section,
    doctor_section,
    training_section,
    cost_section,
    protocol_section,
    pipeline_section,
)


def write_report(path: Path, facts: ReportFacts, more: Iterable[Section] = ()) -> None:
    """Write the report of one run to `path`, an HTML file that opens anywhere and asks for nothing.

    Args:
        path: the file.
        facts: what it shows.
        more: sections of plugins, put behind the others.
    """
    sections = [*(one for one in (build(facts) for build in SECTIONS) if one), *more]
    lead = f"Run {facts.run_id}" + (f" · protocol {digest}" if (digest := _digest(facts)) else "")
    path.write_text(page(facts.name, lead, headline(facts), sections, facts.made), encoding="utf-8")


def page(name: str, lead: str, figures: Markup, sections: Sequence[Section], made: str = "") -> str:
    """The whole document around ready sections."""
    assets = resources.files("genrec_core.evaluation") / "assets"
    return Template((assets / "page.html").read_text(encoding="utf-8")).substitute(
        style=(assets / "report.css").read_text(encoding="utf-8"),
        title=joined(name),
        lead=joined(lead),
        figures=figures,
        navigation=joined([one.link() for one in sections]),
        sections=joined([one.markup() for one in sections]),
        made=joined(made),
    )


def _digest(facts: ReportFacts) -> str:
    return str(facts.metrics.get("protocol", {}).get("hash", ""))
