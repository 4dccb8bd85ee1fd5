"""Prepared data: what the `data` stage hands to all later ones, in memory and on disk.

The views are already cut, so a later stage that loads this artefact cannot reach more than they show.
On disk: `catalogue.json.gz` (items by column), `users.json.gz` (names, attributes, notes, protocol),
`views.safetensors` (rows, targets, times) and, for made data, `oracle.safetensors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.contracts.source import Source
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import View, Views
from genrec_core.data.limiting import limited
from genrec_core.data.lines import read_json, write_json
from genrec_core.data.markov import load_oracle, save_oracle
from genrec_core.data.ordering import tie_order
from genrec_core.data.protocol import Protocol, protocol_of
from genrec_core.store.content import load_arrays, save_arrays

_PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Prepared:
    """A catalogue, the views of a split, and what they are measured under.

    Attributes:
        items: the catalogue.
        views: training, validation and test; `views.oracle` is set for made data.
        protocol: what results on the test view stand under.
        attributes: user id → fields of that user.
        notes: what the source and the split had to do, with counts.
    """

    items: Items
    views: Views
    protocol: Protocol
    attributes: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def prepare(
    source: Source, split: Split, max_history: int, context: Context, limit: int | None = None
) -> Prepared:
    """Load, cut, and name the protocol.

    Args:
        source: gives the data.
        split: cuts it.
        max_history: how many of the newest items before a target may be used.
        context: seed, progress, log.
        limit: only so many users, to try a pipeline.

    Raises:
        DataError: the source or the split refuses the data, or no test row came out.
    """
    dataset = source.load(context)
    if limit is not None:
        dataset = limited(dataset, limit)
    views = split.split(dataset, max_history)
    if not len(views.test):
        raise DataError(
            f"split `{split.name}` made no test row from {len(dataset.users):,} users",
            hint="`genrec data check FOLDER` says which splits the data allows",
        )
    tied = tie_order(dataset).note
    notes = (*dataset.notes, *[tied] * bool(tied), *views.notes)
    views = replace(_with_attributes(views, dataset.attributes), notes=notes, oracle=dataset.oracle)
    protocol = replace(protocol_of(dataset.items, views.test, split), limit=limit)
    return Prepared(dataset.items, views, protocol, dataset.attributes, notes)


def save_prepared(prepared: Prepared, folder: Path) -> None:
    """Write into an existing folder; equal data gives equal bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    parts = {}
    for name in _PARTS:
        parts[name] = _pack(getattr(prepared.views, name), arrays)
    items = {"ids": prepared.items.ids, "fields": dict(prepared.items.fields)}
    write_json(folder / "catalogue.json.gz", items)
    users = {
        "views": parts,
        "protocol": prepared.protocol.plain(),
        "attributes": prepared.attributes,
        "notes": prepared.notes,
    }
    write_json(folder / "users.json.gz", users)
    save_arrays(folder / "views.safetensors", arrays)
    if prepared.views.oracle is not None:
        save_oracle(prepared.views.oracle, folder / "oracle.safetensors")


def load_prepared(folder: Path) -> Prepared:
    """What `save_prepared` wrote.

    Raises:
        DataError: a file is missing or damaged.
    """
    catalogue, users = read_json(folder / "catalogue.json.gz"), read_json(folder / "users.json.gz")
    arrays, _ = load_arrays(folder / "views.safetensors")
    train, valid, test = (_unpack(name, users["views"][name], arrays) for name in _PARTS)
    oracle = folder / "oracle.safetensors"
    notes = tuple(users["notes"])
    views = Views(train, valid, test, notes, load_oracle(oracle) if oracle.exists() else None)
    views = _with_attributes(views, users["attributes"])
    items = Items(tuple(catalogue["ids"]), catalogue["fields"])
    return Prepared(items, views, Protocol(**users["protocol"]), users["attributes"], notes)


def _with_attributes(views: Views, attributes: Mapping[str, Mapping[str, object]]) -> Views:
    """The views, whose requests then carry what is known of their users."""
    parts = {name: replace(getattr(views, name), attributes=attributes) for name in _PARTS}
    return replace(views, **parts)


def _pack(view: View, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Put a view's numbers into `arrays`; give back its strings."""
    labels = tuple(dict.fromkeys(view.domains))
    code = {label: index for index, label in enumerate(labels)}
    columns: dict[str, NDArray[Any] | None] = {
        "values": view.rows.values,
        "offsets": view.rows.offsets,
        "targets": view.targets,
        "times": view.times,
        "domains": np.array([code[label] for label in view.domains], dtype=np.int32) if labels else None,
    }
    arrays |= {f"{view.name}.{name}": column for name, column in columns.items() if column is not None}
    return {"users": view.users, "max_history": view.max_history, "labels": labels}


def _unpack(name: str, plain: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> View:
    labels, codes = plain["labels"], arrays.get(f"{name}.domains")
    return View(
        name=name,
        users=tuple(plain["users"]),
        rows=Sequences(arrays[f"{name}.values"], arrays[f"{name}.offsets"]),
        targets=arrays.get(f"{name}.targets"),
        max_history=plain["max_history"],
        times=arrays.get(f"{name}.times"),
        domains=() if codes is None else tuple(labels[index] for index in codes.tolist()),
    )
