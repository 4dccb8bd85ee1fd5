"""`genrec recommend`: what a run's model recommends after a history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from genrec_core.cli.environment import JSON, STORE
from genrec_core.contracts.candidates import How, Ranked
from genrec_core.contracts.errors import GenrecError, examples, printable
from genrec_core.contracts.items import Items
from genrec_core.evaluation.report.facts import item_title
from genrec_core.pipeline.console import echo, echo_json
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.problems import did_you_mean
from genrec_core.registry.problems import shown as quoted

BEGINS_ALIKE = 3
"""Letters that a suggestion shares with what was typed: comparing with a million titles takes seconds."""
LOOKED_AT = 1_000
"""Suggestions that are compared in full."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--history", "histories", multiple=True, required=True, metavar="ITEM,ITEM",
    help="Items in time order by id; or one title. May be repeated.",
)  # fmt: skip
@click.option("--titles", is_flag=True, help="Each --history is a title, or a part that one title alone has.")
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="How many items.")
@click.option("--domain", default="", help="Answer from this domain alone (with `evaluate.domain_field`).")
@STORE
@JSON
def recommend(
    run: Path,
    histories: tuple[str, ...],
    titles: bool,
    k: int,
    domain: str,
    store: Path | None,
    as_json: bool,
) -> None:
    """Recommend items after a history, by the model of RUN.

    An item is named by its id, exactly. What is no id may be the title that one item alone has; with --titles
    it is looked up among titles only. The first line of the answer says what was understood.
    """
    opened = open_run(run, load_plugins()[0], store)
    if domain and not opened.pipeline.spec.evaluate.domain_field:
        raise GenrecError(
            "this run does not know which items are of which domain",
            where=f"--domain {quoted(domain)}",
            hint="run it with `evaluate.domain_field`",
        )
    items = opened.catalogue.items
    history = [item for text in histories for item in find_items(text, items, titles=titles)]
    with opened.open() as session:
        ranked = _without_seen(opened, session.recommend([history], domain)[0], history)
    shown = [_entry(opened, ranked, place) for place in range(min(k, len(ranked.items)))]
    if as_json:
        named = [{"item": items.ids[item], "title": item_title(opened.catalogue, item)} for item in history]
        echo_json({"history": named, "items": shown})
        return
    echo("after " + " → ".join(_called(opened, item) for item in history))
    for place, entry in enumerate(shown, 1):
        item = printable(f"{entry['item']}  {entry['title']}")
        echo(f"{place:>3}  {entry['score']:8.3f}  {entry['how']:<10}  {item}")
    if len(shown) < k:
        echo(f"only {len(shown)} of {k}: the recommender's beams reached no more items")


def find_items(text: str, items: Items, *, titles: bool = False) -> list[int]:
    """The items that a text names: ids with commas between, or one title.

    Ids are taken as they stand. Only a text of which no part is an id is looked up among the titles, and only
    a title that one item alone has is taken; upper and lower case are alike there.

    Args:
        text: what was typed.
        items: the catalogue.
        titles: the text is a title, or a part of one that one item alone has, even where it is an id too.

    Raises:
        GenrecError: a part names no item, or several.
    """
    if titles:
        return [_titled(text, items, part=True)]
    if text in items.ids:
        return [items.index_of(text)]
    parts = text.split(",")
    known = [part in items.ids for part in parts]
    if all(known):
        return [items.index_of(part) for part in parts]
    if any(known):
        strange = parts[known.index(False)]
        raise GenrecError(
            f"no item has the id {quoted(strange)}",
            where=_where(text),
            hint="give each item its own --history; with --titles they are titles",
        )
    return [_titled(text, items, part=False)]


def _titled(text: str, items: Items, *, part: bool) -> int:
    """The one item with this title, or, as a second choice, with this part of one."""
    wanted = text.strip().casefold()
    titles = _titles(items)
    folded = [title.casefold() for title in titles]
    found = [item for item, title in enumerate(folded) if wanted and title == wanted]
    if not found and part:
        found = [item for item, title in enumerate(folded) if wanted and wanted in title]
    if len(found) == 1:
        return found[0]
    if found:
        several = examples(f"{items.ids[item]} {titles[item]}" for item in found)
        raise GenrecError(
            f"{quoted(text)} fits {len(found):,} items: {several}", where=_where(text), hint="give the id"
        )
    what = "title" if part else "id or title"
    near = _near(text, titles if part else [*items.ids, *titles])
    raise GenrecError(f"no item has the {what} {quoted(text)}", where=_where(text), hint=near)


def _near(text: str, names: list[str]) -> str:
    """A hint at what was meant, found quickly: comparing with each of a million titles takes seconds."""
    wanted = text.strip().casefold()
    begin = wanted[:BEGINS_ALIKE]
    alike = [one for one in names if one.casefold().startswith(begin)]
    hint = did_you_mean(text, alike[:LOOKED_AT], otherwise=" ").strip()
    if not hint and len(wanted) > 2 and any(wanted in name.casefold() for name in names):
        hint = "a part of a title is looked up with --titles"
    return hint or "give an id, or a whole title"


def _titles(items: Items) -> list[str]:
    """What people call each item, where a field says it."""
    named = next((field for field in ("title", "name", *items.text_fields) if field in items.fields), None)
    return [items.value(item, named) for item in range(len(items))] if named else []


def _where(text: str) -> str:
    return f"--history {printable(text[:80])}"


def _without_seen(opened: RunReader, ranked: Ranked, history: list[int]) -> Ranked:
    """The ranking under the run's own protocol: without the history where that filters viewed items."""
    if not opened.pipeline.spec.evaluate.filter_viewed:
        return ranked
    keep = [place for place, item in enumerate(ranked.items.tolist()) if item not in set(history)]
    return Ranked(
        ranked.items[keep], ranked.scores[keep], ranked.how[keep], ranked.candidates, ranked.invalid
    )


def _called(opened: RunReader, item: int) -> str:
    name, title = opened.catalogue.items.ids[item], item_title(opened.catalogue, item)
    return printable(f"{name} ({title})" if title != name else name)


def _entry(opened: RunReader, ranked: Ranked, place: int) -> dict[str, Any]:
    item = int(ranked.items[place])
    return {
        "item": opened.catalogue.items.ids[item],
        "title": item_title(opened.catalogue, item),
        "score": float(ranked.scores[place]),
        "how": How(int(ranked.how[place])).name.lower(),
        "identifier": opened.catalogue.identifiers.text(item),
    }
