"""`genrec recommend`: what a run's model recommends after a history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from genrec_core.cli.environment import JSON
from genrec_core.contracts.candidates import How, Ranked
from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.contracts.items import Items
from genrec_core.evaluation.report.examples import item_title
from genrec_core.pipeline.console import echo, echo_json
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.problems import did_you_mean


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--history", "histories", multiple=True, required=True, metavar="ITEM,ITEM",
    help="Items in time order, by id or title; may be repeated, for titles with commas.",
)  # fmt: skip
@click.option("-k", "k", type=click.IntRange(min=1), default=10, show_default=True, help="How many items.")
@JSON
def recommend(run: Path, histories: tuple[str, ...], k: int, as_json: bool) -> None:
    """Recommend items after a history, by the model of RUN.

    An item is named by its id, its title, or a part of its title that no other item has.
    """
    opened = open_run(run, load_plugins()[0])
    items = opened.catalogue.items
    history = [item for text in histories for item in find_items(text, items)]
    with opened.open() as session:
        ranked = _without_seen(opened, session.recommend([history])[0], history)
    shown = [_entry(opened, ranked, place) for place in range(min(k, len(ranked.items)))]
    if as_json:
        named = [{"item": items.ids[item], "title": item_title(opened.catalogue, item)} for item in history]
        echo_json({"history": named, "items": shown})
        return
    echo("after " + " → ".join(item_title(opened.catalogue, item) for item in history))
    for place, entry in enumerate(shown, 1):
        echo(f"{place:>3}  {entry['score']:8.3f}  {entry['how']:<10}  {entry['item']}  {entry['title']}")
    if len(shown) < k:
        echo(f"only {len(shown)} of {k}: the recommender's beams reached no more items")


def find_items(text: str, items: Items) -> list[int]:
    """The items that a comma-separated text names.

    Raises:
        GenrecError: a part names no item, or several.
    """
    whole = _find(text.strip(), items)
    if len(whole) == 1:
        return whole
    return [_one(part.strip(), items) for part in text.split(",") if part.strip()]


def _one(text: str, items: Items) -> int:
    found = _find(text, items)
    if len(found) == 1:
        return found[0]
    titles = _titles(items)
    where = f"--history {text}"
    if found:
        several = examples(f"{items.ids[item]} {titles[item]}" for item in found)
        raise GenrecError(f"`{text}` fits {len(found)} items: {several}", where=where, hint="give the id")
    near = did_you_mean(text, [*items.ids, *filter(None, titles)], otherwise="give an id or a title")
    raise GenrecError(f"no item has the id or title `{text}`", where=where, hint=near)


def _find(text: str, items: Items) -> list[int]:
    """Items by id, else by whole title, else by a part of the title; upper and lower case are alike."""
    if text in items.ids:
        return [items.index_of(text)]
    wanted = text.casefold()
    titles = [title.casefold() for title in _titles(items)]
    whole = [item for item, title in enumerate(titles) if title == wanted]
    return whole or [item for item, title in enumerate(titles) if wanted and wanted in title]


def _titles(items: Items) -> list[str]:
    named = next((field for field in ("title", "name", *items.text_fields) if field in items.fields), None)
    return [items.value(item, named) if named else "" for item in range(len(items))]


def _without_seen(opened: RunReader, ranked: Ranked, history: list[int]) -> Ranked:
    """The ranking under the run's own protocol: without the history where that filters viewed items."""
    if not opened.pipeline.spec.evaluate.filter_viewed:
        return ranked
    keep = [place for place, item in enumerate(ranked.items.tolist()) if item not in set(history)]
    return Ranked(
        ranked.items[keep], ranked.scores[keep], ranked.how[keep], ranked.candidates, ranked.invalid
    )


def _entry(opened: RunReader, ranked: Ranked, place: int) -> dict[str, Any]:
    item = int(ranked.items[place])
    return {
        "item": opened.catalogue.items.ids[item],
        "title": item_title(opened.catalogue, item),
        "score": float(ranked.scores[place]),
        "how": How(int(ranked.how[place])).name.lower(),
        "identifier": opened.catalogue.identifiers.text(item),
    }
