"""The doctor's section: what lies under prefixes, who shares a name, whether neighbours do, and advice."""

from __future__ import annotations

from collections.abc import Sequence

from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.markup import Markup, Section, section, tag
from genrec_core.evaluation.report.numbers import count, percent
from genrec_core.identifiers.diagnosis.diagnosis import Bucket, Diagnosis
from genrec_core.identifiers.diagnosis.suggestions import suggestions
from genrec_core.identifiers.prefixes import UnderPrefixes


def doctor_section(facts: ReportFacts) -> Section | None:
    """Suggestions, then the figures they come from."""
    found = facts.diagnosis
    if found is None:
        return None
    return section(
        "doctor",
        "The doctor",
        "Leaves are the distinct identifiers under a prefix. Neighbour recall: of an item's ten nearest in "
        "embedding space, how many a search by shared prefix alone finds. A blind one finds them by chance.",
        tag(
            "dl",
            [tag("div", tag("dt", name), tag("dd", value)) for name, value in figures(found)],
            class_="facts",
        ),
        _advice(found),
        _prefixes(found),
        _buckets(found.buckets),
        _missing(found),
    )


def figures(found: Diagnosis) -> list[tuple[str, str]]:
    """Name and value of what is one figure for the whole catalogue."""
    rows = []
    if near := found.neighbours:
        asked = "" if near.queries == near.items else f", {count(near.queries)} items asked"
        rows.append((f"Neighbour recall@{near.k} ({found.space}{asked})", f"{near.recall:.4f}"))
        rows.append(("by chance", f"{near.chance:.4f}"))
    if error := found.reconstruction:
        rows.append(("Variance that the codes lose", percent(error.unexplained)))
    if twins := found.duplicates:
        rows.append(("Near-duplicate items", f"{count(twins.items)} in {count(twins.groups)} groups"))
        if twins.collisions_explained is not None:
            rows.append(("Colliding items with a near-duplicate", percent(twins.collisions_explained)))
    if texts := found.texts:
        rows.append(("Words of an item's text, median", f"{texts.median_words:g}"))
    return rows


def _advice(found: Diagnosis) -> Markup | None:
    listed = [tag("li", f"{one.finding}: ", tag("b", one.advice)) for one in suggestions(found)]
    if not listed:
        return None
    return tag("div", tag("h3", "Suggestions"), tag("ul", listed, class_="notes"), class_="block")


def _prefixes(found: Diagnosis) -> Markup | None:
    if not found.prefixes:
        return None
    near = {one.length: one for one in found.neighbours.lengths} if found.neighbours else {}
    names = ["Prefixes", "Items sharing", "Leaves, median", "mean", "most", "Single leaf"]
    names += ["Recall@10", "Kept", "by chance"] if near else []
    head = tag("tr", tag("th", "Tokens"), [tag("th", name, class_="num") for name in names])
    rows = []
    for under in found.prefixes:
        cells = _leaves(under)
        if near:
            kept = near[under.length]
            cells += [f"{kept.recall:.4f}", percent(kept.kept), percent(kept.kept_by_chance, 2)]
        label = tag("th", f"first {under.length}", scope="row")
        rows.append(tag("tr", label, [tag("td", cell, class_="num") for cell in cells]))
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="compact", id="prefixes")
    return tag("div", tag("h3", "Under each prefix"), tag("div", table, class_="scroll"), class_="block")


def _leaves(under: UnderPrefixes) -> list[str]:
    return [
        count(under.prefixes),
        percent(under.shared),
        f"{under.median:g}",
        f"{under.mean:.2f}",
        count(under.most),
        percent(under.single),
    ]


def _buckets(buckets: Sequence[Bucket]) -> Markup | None:
    if not buckets:
        return None
    rows = [
        tag(
            "tr",
            tag("th", tag("code", bucket.identifier), scope="row"),
            tag("td", count(bucket.size), class_="num"),
            tag("td", "; ".join(item.text or item.id for item in bucket.items)),
        )
        for bucket in buckets
    ]
    head = tag("tr", tag("th", "Identifier"), tag("th", "Items", class_="num"), tag("th", "such as"))
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="compact")
    return tag(
        "div", tag("h3", "Most shared identifiers"), tag("div", table, class_="scroll"), class_="block"
    )


def _missing(found: Diagnosis) -> Markup | None:
    listed = [tag("li", f"not examined: {one}") for one in found.missing]
    return tag("ul", listed, class_="notes quiet block") if listed else None
