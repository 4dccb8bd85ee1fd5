"""Rendering: sections of a page, written by Jinja2 templates that escape every value.

A page is a list of sections. The core's are macros of `templates/sections.html.jinja`; a plugin writes its
own from text, from markup, or from a template that may use the same macros and number formats:

    def latency(run: ReportFacts) -> Section | None:
        lines = [("median", "12 ms"), ("slowest", "40 ms")]
        source = '{% from "macros.html.jinja" import facts %}{{ facts(lines) }}'
        return section("latency", "Latency", "Per request.", templated(source, lines=lines))

Text is escaped when it is put into a page; `Markup` is not, and only `templated` should make it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genrec_core.evaluation.report.facts import title
from genrec_core.evaluation.report.figures import (
    count,
    duration,
    p_value,
    percent,
    plain,
    scale_of,
    share,
    signed,
)


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        anchor: where links to it lead; unique in a page.
        title: its heading and its entry in the navigation.
        lead: a sentence below the heading that says how to read it; may be empty.
        content: what stands below that.
    """

    anchor: str
    title: str
    lead: str
    content: Markup


def section(anchor: str, title: str, lead: str, *content: str) -> Section:
    """A section of these pieces after one another: text, which is escaped, or `Markup` from `templated`."""
    return Section(anchor, title, lead, Markup().join(content))


def templated(source: str, **values: Any) -> Markup:
    """A Jinja2 template with its values filled in and escaped.

    Args:
        source: the template; `macros.html.jinja` can be imported in it, and numbers have the filters `share`,
            `signed`, `percent`, `number`, `plain`, `duration`, `p_value` and `metric_title`.
        values: what it names; a name without a value is an error.
    """
    return Markup(_environment().from_string(source).render(**values))


def macro(template: str, name: str, **values: Any) -> Markup:
    """A macro of a template of this package, called."""
    written = getattr(_environment().get_template(template).module, name)(**values)
    return Markup(written)


def core_section(anchor: str, heading: str, lead: str, **values: Any) -> Section:
    """A section whose content is the macro of its name in `sections.html.jinja`."""
    return section(anchor, heading, lead, macro("sections.html.jinja", anchor, **values))


def page(title: str, lead: str, sections: list[Section], figures: Any = (), made: str = "") -> str:
    """The whole document around ready sections, an HTML file that needs nothing else."""
    values = {"title": title, "lead": lead, "sections": sections, "figures": figures, "made": made}
    return _environment().get_template("page.html.jinja").render(**values)


@cache
def _environment() -> Environment:
    """Where the templates are found and what they can call."""
    made = Environment(
        loader=PackageLoader("genrec_core.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "share": share,
        "signed": signed,
        "percent": percent,
        "number": count,
        "plain": plain,
        "duration": duration,
        "p_value": p_value,
        "metric_title": title,
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
        "width": lambda part: f"{part:.2%}",
        "heading": lambda metric: (title(metric), "num"),
    }
    made.globals["scale_of"] = scale_of
    return made
