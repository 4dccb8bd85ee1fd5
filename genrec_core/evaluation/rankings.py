"""Rankings: every user's ranked items, by column.

A `Ranked` is what a grounder or baseline gives for one user; judging wants all users at once. Rankings are
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
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How, Ranked
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import View
from genrec_core.store.arrays import load_arrays, save_arrays

CHUNK = 4096
"""Users turned from objects into columns at a time."""

RECOMMENDATIONS = "recommendations.jsonl.gz"
"""Name of the file in a run folder."""

_HOW = {how.value: how.name.lower() for how in How}


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
        while chunk := list(islice(stream, CHUNK)):
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
