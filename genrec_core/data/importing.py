"""Importing: a table of interactions, and perhaps one of items, into a data folder.

    read → refuse bad rows → de-duplicate → leave out rare users and items → write

Every rule says how many interactions it took away; the counts are printed and kept in `import.json`. The
folder gets `sequences.jsonl.gz` with timestamps, so that ties are settled once, here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.doubtful_times import odd_times
from genrec_core.data.events import Columns, EventReader, Events
from genrec_core.data.folder_writer import refuse_existing, write_folder
from genrec_core.data.item_table import ItemColumns, items_from_table
from genrec_core.data.ordering import count_ties, exact_duplicates, in_time_order, sequences_of
from genrec_core.data.tables import TableFormat
from genrec_core.data.values import LenientValues, TimeFormat

Dedupe = Literal["keep-all", "keep-first", "keep-last"]
"""Which of several interactions of one user with one item stay, in time order."""


@dataclass(frozen=True)
class ImportRules:
    """What is taken and what is left out.

    Attributes:
        columns: the interaction table's columns.
        items: where item texts come from.
        time_format: how times are written in the table.
        dates: whether times in `seconds` are known to be dates, because a data frame holds them as such.
        dedupe: see `Dedupe`.
        least_user: interactions that a user needs to stay.
        least_item: interactions that an item needs to stay.
        unknown_items: interactions with items that the item table lacks: `refuse` or `drop`.
        least_rating: interactions rated lower are left out; needs `columns.rating`.
        users: where attributes of users come from, `item` naming the column of user ids; None for nowhere.
        written: how a table of text is written.
    """

    columns: Columns = field(default_factory=Columns)
    items: ItemColumns = field(default_factory=ItemColumns)
    time_format: TimeFormat = "seconds"
    dates: bool = False
    dedupe: Dedupe = "keep-all"
    least_user: int = 1
    least_item: int = 1
    unknown_items: Literal["refuse", "drop"] = "refuse"
    least_rating: float = -math.inf
    users: ItemColumns | None = None
    written: TableFormat = field(default_factory=TableFormat)


@dataclass
class ImportReport:
    """What happened, in order: (what, count), and the size of the result."""

    steps: list[tuple[str, int]] = field(default_factory=list)
    users: int = 0
    items: int = 0
    interactions: int = 0

    def __str__(self) -> str:
        lines = [f"{count:>12,}  {what}" for what, count in self.steps]
        size = f"{self.users:,} users, {self.items:,} items, {self.interactions:,} interactions"
        return "\n".join([*lines, size])

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        steps = [{"what": what, "count": count} for what, count in self.steps]
        return {
            "steps": steps,
            "users": self.users,
            "items": self.items,
            "interactions": self.interactions,
        }


def import_table(table: Path, out: Path, rules: ImportRules) -> ImportReport:
    """Make the data folder `out` from `table`.

    Raises:
        DataError: bad rows, nothing left after the rules, or `out` is there already.
    """
    refuse_existing(out)
    rules.columns.check()
    defects, report = Defects(), ImportReport()
    values = LenientValues(rules.time_format)
    reader = EventReader(rules.columns, None, values, rules.written, rules.least_rating)
    events = reader.read(table, defects)
    people = items_from_table(rules.users.table or table, rules.users, defects) if rules.users else None
    defects.refuse()
    report.steps.append(("interactions read", len(events)))
    if values.numbers:
        report.steps.append(("ids that were numbers, now strings", values.numbers))
    if values.spaces:
        report.steps.append(("ids with spaces around them, cut off", values.spaces))
    report.steps.extend(odd_times(events.time, dates=rules.dates or rules.time_format != "seconds"))
    items = rules.items
    named = items if items.table else items.inside(table, rules.columns.item, rules.written)
    catalogue = items_from_table(named.table or table, named, defects)
    defects.refuse()
    report.steps.extend(defects.decisions.items())
    events = _known(events, catalogue, rules, table, report)
    events = _deduplicated(events, rules.dedupe, report)
    kept = k_core(events.user, events.item, rules.least_user, rules.least_item)
    _note(report, "interactions of rare users or items dropped", len(events) - int(kept.sum()))
    events = events.kept(kept)
    if not len(events):
        raise DataError(
            "no interaction is left after the rules",
            where=str(table),
            hint="ask for less with --k-core, --min-user and --min-item",
        )
    _note(
        report,
        "interactions ordered by tie key or file order (same user and time)",
        count_ties(events.user, events.time),
    )
    dataset = _dataset(catalogue, events, rules.least_item, report)
    write_folder(_with_attributes(dataset, people, report), out, report.plain())
    return report


def _with_attributes(dataset: Dataset, people: Items | None, report: ImportReport) -> Dataset:
    """The data set with what a table knows of its users; users without an interaction are left out."""
    if people is None:
        return dataset
    present, attributes = set(dataset.users), {}
    for row, user in enumerate(people.ids):
        if user in present:
            fields = {name: column[row] for name, column in people.fields.items()}
            attributes[user] = {name: value for name, value in fields.items() if value is not None}
    _note(report, "rows of the user table without any interaction left out", len(people) - len(attributes))
    return replace(dataset, attributes=attributes)


def _note(report: ImportReport, what: str, count: int) -> None:
    if count:
        report.steps.append((what, count))


def _known(events: Events, catalogue: Items, rules: ImportRules, table: Path, report: ImportReport) -> Events:
    """Events whose item is in the catalogue, with the catalogue's indices as item codes."""
    index = {item_id: place for place, item_id in enumerate(catalogue.ids)}
    places = np.array([index.get(item_id, -1) for item_id in events.items], dtype=np.int32)[events.item]
    unknown = np.flatnonzero(places < 0)
    if len(unknown) and rules.unknown_items == "refuse":
        defects = Defects()
        hint = "add the items to the item table, or leave such interactions out with --unknown-items drop"
        for row in unknown:
            item_id, line = events.items[events.item[row]], int(events.line[row])
            defects.add("item is not in the item table", item_id, table, line, hint)
        defects.refuse()
    _note(report, "interactions with unknown items dropped", len(unknown))
    return replace(events, items=catalogue.ids, item=places).kept(places >= 0)


def _deduplicated(events: Events, dedupe: Dedupe, report: ImportReport) -> Events:
    if dedupe == "keep-all":
        repeated = int(exact_duplicates(events.user, events.item, events.time).sum())
        _note(report, "interactions that repeat an earlier one (user, item, time), kept", repeated)
        return events
    order = in_time_order(events)
    if dedupe == "keep-last":
        order = order[::-1]
    pairs = events.user[order].astype(np.int64) * len(events.items) + events.item[order]
    chosen = np.zeros(len(events), dtype=bool)
    chosen[order[np.unique(pairs, return_index=True)[1]]] = True
    _note(report, f"repeated interactions of a user with an item dropped ({dedupe})", int((~chosen).sum()))
    return events.kept(chosen)


def _dataset(catalogue: Items, events: Events, least_item: int, report: ImportReport) -> Dataset:
    """The result, with items that are too rare left out; items nobody chose stay unless that is too rare."""
    counts = np.bincount(events.item, minlength=len(catalogue))
    kept = counts >= (least_item if least_item > 1 else 0)
    _note(report, "items with too few interactions dropped", int((~kept).sum()))
    _note(report, "items without any interaction kept", int((kept & (counts == 0)).sum()))
    place = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    present, user = np.unique(events.user, return_inverse=True)
    sequences, times, _ = sequences_of(
        replace(events, user=user.astype(np.int32), item=place[events.item]), len(present)
    )
    items = catalogue.subset(np.flatnonzero(kept).tolist())
    report.users, report.items, report.interactions = len(present), len(items), len(events)
    return Dataset(items, tuple(events.users[code] for code in present), sequences, times)


def k_core(
    user: NDArray[np.int32], item: NDArray[np.int32], least_user: int, least_item: int
) -> NDArray[np.bool_]:
    """Which interactions remain when rare users and items are left out until none is rare, bool [n].

    Taking out an item can make a user rare and the other way round, so both are repeated until nothing
    changes. What remains does not depend on the order.

    Args:
        user: user codes, int32 [n].
        item: item codes, int32 [n].
        least_user: interactions that a user needs; 1 or less asks for nothing.
        least_item: interactions that an item needs.
    """
    kept = np.ones(len(user), dtype=bool)
    while True:
        before = int(kept.sum())
        for codes, least in ((user, least_user), (item, least_item)):
            counts = np.bincount(codes[kept], minlength=int(codes.max(initial=-1)) + 1)
            kept &= counts[codes] >= least
        if int(kept.sum()) == before:
            return kept
