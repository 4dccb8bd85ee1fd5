"""Shown: recommendations for single users, with titles, so that a reader can judge them by eye."""

from __future__ import annotations

from genrec_core.evaluation.report.facts import ReportFacts, ShownExample, ShownItem
from genrec_core.evaluation.report.markup import Markup, Section, section, tag

HISTORY = 6
"""Newest items of a history shown; the count of older ones is named."""


def shown_section(facts: ReportFacts) -> Section | None:
    """One card an example."""
    if not facts.examples:
        return None
    return section(
        "examples",
        "Recommendations",
        "Chosen by a fixed rule: found first, found later, missed. A hit is marked.",
        tag("div", [_card(example) for example in facts.examples], class_="cards"),
    )


def _card(example: ShownExample) -> Markup:
    found = f"found at {example.rank}" if example.rank else "not found"
    return tag(
        "article",
        tag(
            "header",
            tag("span", example.user, class_="user"),
            tag("span", found, class_="tag hit" if example.rank else "tag miss"),
        ),
        _history(example),
        tag("p", tag("span", "chose next", class_="label"), tag("b", example.target), class_="chosen"),
        tag("ol", [_item(item) for item in example.items]),
        _left_out(example),
    )


def _history(example: ShownExample) -> Markup:
    older = max(0, len(example.history) - HISTORY)
    entries = [tag("li", f"{older} older", class_="quiet")] if older else []
    entries += [tag("li", title) for title in example.history[older:]]
    return tag("div", tag("span", "history", class_="label"), tag("ul", entries), class_="history")


def _item(item: ShownItem) -> Markup:
    how = tag("span", item.how, class_=f"tag {item.how}") if item.how != "direct" else None
    written = tag("code", item.identifier) if item.identifier else None
    return tag("li", tag("span", item.title), how, written, class_="hit" if item.hit else None)


def _left_out(example: ShownExample) -> Markup | None:
    if not example.invalid:
        return None
    text = f"{example.invalid} of {example.candidates} candidates reached no item"
    return tag("p", text, class_="quiet")
