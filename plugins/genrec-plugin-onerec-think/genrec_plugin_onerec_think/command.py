"""`genrec think-ahead RUN`: think for every user and keep the thought and the first tokens in a store.

    genrec think-ahead runs/thinker/latest --store ahead.sqlite
    genrec think-ahead runs/thinker/latest --store redis://cache:6379/0 --histories newest.jsonl

RUN's recommender thinks; of `onerec-think/think-ahead` it is the `thinker`. Every batch is in the store
before the next one is begun. A fill that was stopped goes on where it was: users whose entry has the same
maker and the same history are passed over, so nothing that is kept is asked for twice.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson

from genrec_core import Context, GenrecError, Recommender, RecommenderSession, Request
from genrec_core.contracts.options import regular_file
from genrec_core.contracts.processes import one_process
from genrec_core.pipeline.console import echo
from genrec_core.pipeline.numbers import MOST_COUNTED, Whole
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from genrec_plugin_onerec_think.preparing import entry_of
from genrec_plugin_onerec_think.store import ThinkAheadEntry, ThinkAheadStore, open_store
from genrec_plugin_onerec_think.think_ahead import Finish, ThinkAhead, refuse_other

BATCH = 32
"""Users that are thought of between two commits to the store."""


@click.command("think-ahead")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--store", "address", metavar="PATH|redis://…", help="Where entries are kept; by default where RUN says."
)
@click.option(
    "--histories", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON lines of `user_id` and `item_ids`, oldest first; by default the newest histories of RUN.",
)  # fmt: skip
@click.option("--depth", type=Whole(1, 100), help="Levels of a prefix (2, or what RUN says).")
@click.option("--prefixes", type=Whole(1, 100_000), help="Most prefixes of a user (10, or what RUN says).")
@click.option("--limit", type=Whole(1, MOST_COUNTED), help="At most so many users, the first ones.")
@click.option("--again", is_flag=True, help="Think for users again whose entry is up to date.")
@one_process
def think_ahead(
    run: Path,
    address: str | None,
    histories: Path | None,
    depth: int | None,
    prefixes: int | None,
    limit: int | None,
    again: bool,
) -> None:
    """Think for every user of RUN ahead of time, and keep the first tokens of the items it leads to."""
    opened = open_run(run, load_plugins()[0])
    requests = _requests(opened, histories)[:limit]
    recommender = opened.pipeline.spec.recommend
    refuse_other(recommender)
    if isinstance(recommender, ThinkAhead):
        depth = depth or recommender.options.depth
        prefixes = prefixes or recommender.options.prefixes
    keep: dict[str, Any] = {"depth": depth or 2, "most": prefixes or 10, "maker": _maker(opened)}
    with open_store(address := address or _named_store(recommender)) as store:
        missing = requests if again else list(_missing(requests, store, opened, keep["maker"]))
        if missing:
            with _thinker(opened) as session:
                _fill(store, session, missing, opened, keep)
        kept = len(requests) - len(missing)
        echo(f"{len(missing):,} users thought of, {kept:,} were up to date; {address.rpartition('@')[2]}")


def _named_store(recommender: Recommender) -> str:
    """The store that a run's recommender finishes from.

    Raises:
        GenrecError: it names none.
    """
    address = recommender.options.store if isinstance(recommender, Finish) else ""
    if not address:
        raise GenrecError(
            f"recommender `{recommender.name}` of this run names no store",
            where="--store",
            hint="write --store ahead.sqlite, or `store:` under `recommend` of the pipeline",
        )
    return str(address)


def _maker(opened: RunReader) -> str:
    """The fingerprint of what recommends: model, identifiers, prompt and options."""
    return str(next(stage["fingerprint"] for stage in opened.plan["stages"] if stage["name"] == "recommend"))


def _thinker(opened: RunReader) -> RecommenderSession:
    """The recommender that thinks, opened with its model alone."""
    recommender = opened.pipeline.spec.recommend
    if not isinstance(recommender, ThinkAhead):
        return _Answers(opened)
    context = Context(seed=opened.plan["seed"])
    return recommender.thinking(
        opened.model("main"), opened.catalogue, opened.pipeline.prompts["main"], context
    )


class _Answers(RecommenderSession):
    """A run's own recommender."""

    def __init__(self, opened: RunReader) -> None:
        self._session = opened.open(Context(seed=opened.plan["seed"]))

    def recommend(self, requests: Sequence[Request]) -> Iterator[Any]:
        """What was written for each request."""
        return (answer for answer, _ in self._session.answers(requests))

    def close(self) -> None:
        """Close the run."""
        self._session.close()


def _requests(opened: RunReader, histories: Path | None) -> list[Request]:
    """Each user once, with the newest history that is known, cut to what the protocol allows."""
    most, attributes = opened.pipeline.spec.data.max_history, dict[str, Any]()
    newest: dict[str, tuple[int, ...]] = {}
    for view in (opened.prepared.views.train, opened.prepared.views.valid, opened.prepared.views.test):
        attributes.update(view.attributes)
        if histories is None:
            newest.update((user, tuple(items.tolist())) for user, items in view.sequences())
    if histories is not None:
        newest = dict(_read(histories, opened))
    return [
        Request(user, items[max(0, len(items) - most) :], attributes=attributes.get(user, {}))
        for user, items in newest.items()
    ]


def _read(file: Path, opened: RunReader) -> Iterator[tuple[str, tuple[int, ...]]]:
    for number, line in enumerate(regular_file(file).read_bytes().splitlines(), 1):
        try:
            values = orjson.loads(line)
            user, names = values["user_id"], values["item_ids"]
            if not isinstance(user, str) or not isinstance(names, list):
                raise TypeError("`user_id` must be a text and `item_ids` a list")
        except (ValueError, KeyError, TypeError) as error:
            raise GenrecError(
                f"this line is no history: {error}",
                where=f"{file}:{number}",
                hint='write {"user_id": "u1", "item_ids": ["i1", "i2"]}',
            ) from error
        try:
            yield user, tuple(opened.catalogue.items.index_of(name) for name in names)
        except GenrecError as error:
            raise error.at(f"{file}:{number}") from error


def _missing(
    requests: Sequence[Request], store: ThinkAheadStore, opened: RunReader, maker: str
) -> Iterator[Request]:
    """Users whose entry is not there, was made by something else, or knows another history."""
    ids = opened.catalogue.items.ids
    found = store.get([request.user for request in requests])
    for request, entry in zip(requests, found, strict=True):
        history = tuple(ids[item] for item in request.history)
        if entry is None or (entry.maker, entry.history) != (maker, history):
            yield request


def _fill(
    store: ThinkAheadStore,
    session: RecommenderSession,
    requests: Sequence[Request],
    opened: RunReader,
    keep: dict[str, Any],
) -> None:
    remaining = iter(requests)
    with click.progressbar(length=len(requests), label="thinking ahead", file=sys.stderr) as bar:
        while batch := list(islice(remaining, BATCH)):
            answers = session.recommend(batch)
            entries: list[ThinkAheadEntry] = [
                entry_of(request, answer, opened.catalogue, **keep)
                for request, answer in zip(batch, answers, strict=True)
            ]
            store.put(entries)
            bar.update(len(batch))
