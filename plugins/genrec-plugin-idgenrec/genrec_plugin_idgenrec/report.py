"""The report's section on renamed items: how many moved in each round, and some of them side by side.

Alternate training keeps what some items were called before each of its rounds (`Identifiers.settings`), and
what the recommender's validation loss on the new identifiers was before and after it learnt them.
"""

from __future__ import annotations

from genrec_core.evaluation.report.facts import ReportFacts, item_title
from genrec_core.evaluation.report.rendering import Section, section, templated

RENAMED = "renamed"
"""Where `Identifiers.settings` keeps the names that some items had before each round."""

MOVED = "identifiers moved"
BEFORE, AFTER = "valid loss on new identifiers before", "valid loss on new identifiers after"

_ROUNDS = """<table><thead><tr><th>Round</th><th>Identifiers that moved</th>
<th>Recommender's validation loss on them, before it learnt them</th><th>after</th></tr></thead><tbody>
{% for row in rows %}<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>"""

_NAMES = """<table><thead><tr><th>Item</th>{% for name in head %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for title, names in rows %}<tr><td>{{ title }}</td>{% for name in names %}<td>{{ name }}</td>
{% endfor %}</tr>{% endfor %}</tbody></table>"""


def renamed(run: ReportFacts) -> Section | None:
    """The rounds of alternate training; None for a run without."""
    if run.catalogue is None or RENAMED not in run.catalogue.identifiers.settings:
        return None
    items, identifiers = run.catalogue.items, run.catalogue.identifiers
    before: dict[str, dict[str, str]] = identifiers.settings[RENAMED]
    turns = sorted(before, key=int)
    place = {item: n for n, item in enumerate(items.ids)}
    rows = [
        (
            item_title(run.catalogue, place[item]),
            [*(before[turn].get(item, "") for turn in turns), identifiers.text(place[item])],
        )
        for item in before[turns[0]]
        if item in place
    ]
    head = [*(f"before round {turn}" for turn in turns), "now"]
    lead = (
        "Identifiers that the generator wrote anew while it was trained with the recommender. The loss is "
        "per token, so it compares within a row, not between rounds."
    )
    every = templated(_ROUNDS, rows=_rounds(run, turns))
    return section("renamed", "Renamed items", lead, every, templated(_NAMES, head=head, rows=rows))


def _rounds(run: ReportFacts, turns: list[str]) -> list[tuple[str, str, str, str]]:
    curves = next((found for found in run.curves.values() if MOVED in found), {})
    found = {
        name: {int(turn): value for turn, value in curves.get(name, ())} for name in (MOVED, BEFORE, AFTER)
    }
    rows = []
    for turn in map(int, turns):
        moved = found[MOVED].get(turn)
        losses = [found[name].get(turn) for name in (BEFORE, AFTER)]
        written = ["–" if loss is None else f"{loss:.3f}" for loss in losses]
        rows.append((str(turn), "–" if moved is None else f"{moved:,.0f}", *written))
    return rows
