"""Rankings: every user's ranked items, by column.

A `Ranked` is what a grounder or baseline gives for one user; evaluating wants all users at once. Rankings are
the same thing as a table of fixed width, filled chunk by chunk while the answers stream in, so memory
grows by about 17 bytes an item kept and never by the Python objects in between.

The table keeps the first `k` items of each user and, beside them, the first item of each of the first `k`
beams that reached any (`firsts`). The two differ when many items share an identifier: forty items of
one beam would otherwise push the later beams out of the table, and with them the collision-inflated
figure that is printed beside the honest one.

    one beam of items 4 and 9, then one of item 2, kept two wide:
        items  [4, 9]      what is recommended
        firsts [4, 2]      what each beam leads to

For people a view's rankings are written as `recommendations.jsonl.gz`, one JSON line an example, with item
ids instead of indices; `rank` is 0 when the target was not among the items:

    {"user":"u1","target":"a7","rank":2,"items":["a3","a7"],"scores":[-0.2,-1.1],"how":["direct","direct"]}

Rankings can be taken without the items that each user had already seen (`without_viewed`). Some published
figures do so and some do not, and on data where people come back to an item the two differ a lot; so it is
part of the protocol, printed with every metric, and it works on every system alike.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How, Ranked
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import View
from genrec_core.store.content import load_arrays, save_arrays

_CHUNK = 4096
"""Users turned from objects into columns at a time."""

RECOMMENDATIONS = "recommendations.jsonl.gz"
"""Name of the file in a run folder."""

_BLOCK = 8192
"""Rows handled at a time, so that temporary arrays stay small."""

_HOW = {how.value: how.name.lower() for how in How}

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True)
class Rankings:
    """Ranked items of U users, K wide; unused places hold -1 (0 for `scores`, `how` and `reached`).

    Attributes:
        items: int32 [U, K], item indices, best first.
        scores: float32 [U, K].
        how: uint8 [U, K], a `How` for each item.
        beams: int32 [U, K], which candidate each item came from.
        firsts: int32 [U, K], the first item of each beam that reached one, best beam first.
        reached: uint8 [U, K], how each of the first K candidates was resolved, `How.NONE` for invalid.
        candidates: int32 [U], how many candidates were written; 0 for baselines, which write none.
        invalid: int32 [U], how many of them reached no item.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    how: NDArray[np.uint8]
    beams: NDArray[np.int32]
    firsts: NDArray[np.int32]
    reached: NDArray[np.uint8]
    candidates: NDArray[np.int32]
    invalid: NDArray[np.int32]

    @classmethod
    def of(cls, ranked: Iterable[Ranked], k: int) -> Rankings:
        """The table of a stream of rankings, each cut to its first `k` items.

        Raises:
            ContractError: a ranking repeats an item or its arrays differ in length.
        """
        stream, parts, done = iter(ranked), [], 0
        while chunk := list(islice(stream, _CHUNK)):
            parts.append(_columns(chunk, k, done))
            done += len(chunk)
        return cls.joined(parts or [_columns([], k, 0)])

    @classmethod
    def joined(cls, parts: Sequence[Rankings]) -> Rankings:
        """Several tables of one width below each other."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})

    def __len__(self) -> int:
        return len(self.items)

    @property
    def width(self) -> int:
        """K, how many items each user has at most."""
        return int(self.items.shape[1])

    def top(self, user: int) -> Ranked:
        """One user's ranking again, without the padding."""
        size = int((self.items[user] >= 0).sum())
        return Ranked(
            items=self.items[user, :size],
            scores=self.scores[user, :size],
            how=self.how[user, :size],
            candidates=int(self.candidates[user]),
            invalid=int(self.invalid[user]),
            beams=self.beams[user, :size],
            reached=self.reached[user, : int(self.candidates[user])],
        )

    def __iter__(self) -> Iterator[Ranked]:
        for user in range(len(self)):
            yield self.top(user)

    def save(self, path: Path) -> None:
        """Write the columns as one safetensors file."""
        save_arrays(path, {f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Rankings:
        """Read back what `save` wrote."""
        arrays, _ = load_arrays(path)
        return cls(**{f.name: arrays[f.name] for f in fields(cls)})


def _columns(chunk: Sequence[Ranked], k: int, done: int) -> Rankings:
    users = len(chunk)
    table = Rankings(
        items=np.full((users, k), -1, dtype=np.int32),
        scores=np.zeros((users, k), dtype=np.float32),
        how=np.zeros((users, k), dtype=np.uint8),
        beams=np.full((users, k), -1, dtype=np.int32),
        firsts=np.full((users, k), -1, dtype=np.int32),
        reached=np.zeros((users, k), dtype=np.uint8),
        candidates=np.asarray([ranked.candidates for ranked in chunk], dtype=np.int32),
        invalid=np.asarray([ranked.invalid for ranked in chunk], dtype=np.int32),
    )
    for row, ranked in enumerate(chunk):
        _check(ranked, done + row)
        _fill(table, row, ranked, k)
    return table


def _fill(table: Rankings, row: int, ranked: Ranked, k: int) -> None:
    size = min(len(ranked.items), k)
    beams = ranked.beams if len(ranked.beams) else np.arange(len(ranked.items), dtype=np.int32)
    table.items[row, :size] = ranked.items[:size]
    table.scores[row, :size] = ranked.scores[:size]
    table.how[row, :size] = ranked.how[:size]
    table.beams[row, :size] = beams[:size]
    _, places = np.unique(beams, return_index=True)
    firsts = ranked.items[np.sort(places)][:k]
    table.firsts[row, : len(firsts)] = firsts
    if len(ranked.reached):
        table.reached[row, : min(len(ranked.reached), k)] = ranked.reached[:k]
    elif ranked.candidates:  # a grounder that does not say: a candidate is valid if an item came from it
        known = places[beams[places] < k]
        table.reached[row, beams[known]] = ranked.how[known]


def _check(ranked: Ranked, row: int) -> None:
    sizes = {len(ranked.items), len(ranked.scores), len(ranked.how), len(ranked.beams) or len(ranked.items)}
    if len(sizes) > 1:
        raise ContractError(
            f"the ranking of example {row:,} has arrays of different lengths: {sorted(sizes)}",
            hint="give one score, one `How` and one beam (or none at all) for each item",
        )
    if len(np.unique(ranked.items)) != len(ranked.items):
        raise ContractError(
            f"the ranking of example {row:,} names an item twice",
            hint="a ranking holds distinct items: keep the first of several equal ones",
        )


def write_recommendations(
    path: Path, view: View, rankings: Rankings, ranks: NDArray[np.int32], items: Items
) -> None:
    """Write the rankings of a view, one line an example, streaming."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        for record in _records(view, rankings, ranks, items):
            file.write(orjson.dumps(record) + b"\n")


def _records(
    view: View, rankings: Rankings, ranks: NDArray[np.int32], items: Items
) -> Iterator[dict[str, Any]]:
    for row, example in enumerate(view.examples()):
        ranked = rankings.top(row)
        yield {
            "user": example.user,
            "target": items.ids[example.target],
            "rank": int(ranks[row]),
            "items": [items.ids[item] for item in ranked.items],
            "scores": [round(float(score), 6) for score in ranked.scores],
            "how": [_HOW[how] for how in ranked.how.tolist()],
            "candidates": ranked.candidates,
            "invalid": ranked.invalid,
        }


def without_viewed(rankings: Rankings, rows: Sequences) -> Rankings:
    """The rankings without the items that each user had already seen.

    `rows` are the users' whole visible histories, not the ones cut to `max_history`. Items move up; the
    table keeps its width, so it must be wide enough for what is taken out (`depth_needed`). A beam
    keeps its place as long as one item it leads to is unseen.
    """
    parts = [
        _unseen(rankings, rows, start, min(start + _BLOCK, len(rankings)))
        for start in range(0, len(rankings), _BLOCK)
    ]
    return Rankings.joined(parts) if parts else rankings


def depth_needed(deepest: int, rows: Sequences, *, filter_viewed: bool) -> int:
    """How many items to ask a baseline for, so that `deepest` are left after viewed ones are removed."""
    return deepest + (int(rows.lengths.max(initial=0)) if filter_viewed else 0)


def _unseen(rankings: Rankings, rows: Sequences, start: int, stop: int) -> Rankings:
    part = Rankings(**{name: column[start:stop] for name, column in vars(rankings).items()})
    values = rows.values[rows.offsets[start] : rows.offsets[stop]].astype(np.int64)
    owner = np.repeat(np.arange(stop - start, dtype=np.int64), rows.lengths[start:stop])
    span = int(max(values.max(initial=0), part.items.max(initial=0), part.firsts.max(initial=0))) + 1
    seen = np.unique(owner * span + values)
    keep = (part.items >= 0) & ~_is_seen(part.items, seen, span)
    alive = _live_beams(part, keep) | ((part.firsts >= 0) & ~_is_seen(part.firsts, seen, span))
    return Rankings(
        items=_packed(part.items, keep, -1),
        scores=_packed(part.scores, keep, 0),
        how=_packed(part.how, keep, 0),
        beams=_packed(part.beams, keep, -1),
        firsts=_packed(part.firsts, alive, -1),
        reached=part.reached,
        candidates=part.candidates,
        invalid=part.invalid,
    )


def _is_seen(table: NDArray[np.int32], seen: NDArray[np.int64], span: int) -> NDArray[np.bool_]:
    if not len(seen):
        return np.zeros(table.shape, dtype=bool)
    keys = np.arange(len(table), dtype=np.int64)[:, None] * span + table
    places = np.minimum(np.searchsorted(seen, keys), len(seen) - 1)
    return np.asarray((seen[places] == keys) & (table >= 0))


def _live_beams(part: Rankings, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which places of `firsts` lead to at least one kept item of the table, bool [U, K]."""
    alive = np.zeros(part.firsts.shape, dtype=bool)
    users = np.arange(len(part))
    slots = np.zeros(part.items.shape, dtype=np.int64)
    for place in range(1, part.width):
        same = part.beams[:, :place] == part.beams[:, place : place + 1]
        known = slots[users, same.argmax(axis=1)]
        slots[:, place] = np.where(same.any(axis=1), known, slots[:, :place].max(axis=1) + 1)
    owners, places = np.nonzero(keep)
    alive[owners, slots[owners, places]] = True
    return alive


def _packed(table: NDArray[S], keep: NDArray[np.bool_], empty: int) -> NDArray[S]:
    """Each row's kept values moved to the left, the places that fall free filled with `empty`."""
    order = np.argsort(~keep, axis=1, kind="stable")
    packed = np.take_along_axis(table, order, axis=1)
    packed[np.arange(table.shape[1]) >= keep.sum(axis=1)[:, None]] = empty
    return packed
