"""Markup: HTML written by nested calls, with everything escaped that is not markup already.

>>> str(tag("p", "5 < 7 ", tag("b", "yes"), class_="note"))
'<p class="note">5 &lt; 7 <b>yes</b></p>'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


Child = str | Markup | Iterable["Child"] | None


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """One element. `class_` and `data_x` become `class` and `data-x`; attributes of None are left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{_inner(children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Several pieces after one another."""
    return Markup(_inner(children))


@dataclass(frozen=True)
class Section:
    """A part of the page: where links lead, its heading, and its content."""

    anchor: str
    title: str
    content: Markup

    def markup(self) -> Markup:
        """The section as an element."""
        return tag("section", self.content, id=self.anchor)

    def link(self) -> Markup:
        """The entry for the page's navigation."""
        return tag("a", self.title, href=f"#{self.anchor}")


def section(anchor: str, title: str, lead: Child, *children: Child) -> Section:
    """A section: heading, a sentence that says how to read it, content."""
    heading = tag("header", tag("h2", title), tag("p", lead, class_="lead") if lead else None)
    return Section(anchor, title, joined(heading, *children))


def _inner(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child, quote=False)
    return "".join(_inner(one) for one in child)
