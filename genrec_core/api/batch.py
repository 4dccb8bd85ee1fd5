"""Recommendations for many users into a file: in batches, with a bar, and to be gone on with.

    recs.parquet.parts/  job.json  00000.parquet  00000.json  00001.parquet …
    recs.parquet         when all are there

Each batch is written as a part before the next is asked for, so memory holds one batch, whatever the number
of users, and a job that was killed goes on behind the last whole part when the same call is made again.
Another job's parts are not gone on with: `job.json` says which run, users, rules and options they are of.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from genrec_core.api.answering import Answering, RankedAnswer, Ruled
from genrec_core.api.recommendations import columns_of
from genrec_core.api.table_file import format_of, join_tables, type_of, write_table
from genrec_core.api.user_rows import UserRows
from genrec_core.contracts.context import Progress
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.processes import one_process

BATCH = 1024
"""Users that are asked for together, and that a part holds."""


@dataclass(frozen=True)
class Job:
    """What is wanted for every user.

    Attributes:
        k: items.
        ruled: the rules.
        fields: item fields beside the ids.
        batch: users of a part.
    """

    k: int
    ruled: Ruled
    fields: tuple[str, ...] = ()
    batch: int = BATCH

    def identity(self, answering: Answering, rows: UserRows) -> dict[str, Any]:
        """What the parts of one job have in common, as JSON."""
        stages = {stage["name"]: stage["fingerprint"] for stage in answering.reader.plan["stages"]}
        only = None if self.ruled.only is None else sorted(self.ruled.only)
        rules = [sorted(self.ruled.exclude), only, self.ruled.exclude_viewed]
        return {
            "run": hashlib.sha256(orjson.dumps(stages, option=orjson.OPT_SORT_KEYS)).hexdigest(),
            "users": rows.digest,
            "rules": hashlib.sha256(orjson.dumps(rules)).hexdigest(),
            "k": self.k,
            "fields": list(self.fields),
            "batch": self.batch,
        }


@dataclass(frozen=True)
class Written:
    """A file of recommendations.

    Attributes:
        path: the file.
        users: how many users it is about.
        rows: recommendations in it.
        popular: users without a history, who got the most popular items.
        short: users who got fewer items than asked for.
        resumed: users whose part was there already.
        seconds: that this call took.
        notes: what else is to be said.
    """

    path: Path
    users: int
    rows: int
    popular: int
    short: int
    resumed: int
    seconds: float
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As `genrec recommend --json` prints it."""
        return {**vars(self), "path": str(self.path), "notes": list(self.notes)}

    def __str__(self) -> str:
        lines = [f"{self.rows:,} recommendations for {self.users:,} users in {self.path}"]
        if self.resumed:
            lines.append(f"{self.resumed:,} of them were there from an interrupted call")
        if self.popular:
            lines.append(f"{self.popular:,} users have no history: they got the most popular items")
        if self.short:
            lines.append(f"{self.short:,} users got fewer items than asked for: no more were reached")
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__


@one_process
def write_for_users(
    answering: Answering, rows: UserRows, job: Job, out: Path, progress: Progress, *, overwrite: bool = False
) -> Written:
    """Write every user's recommendations to `out`, a .jsonl, .csv or .parquet file.

    Raises:
        GenrecError: the file is there already, another job's parts are, or somebody else is writing them.
    """
    kind, began = format_of(out), time.monotonic()
    if out.exists() and not overwrite:
        raise GenrecError(
            f"`{out}` exists already", hint="name another file, or say `--overwrite` (`overwrite=True`)"
        )
    parts = out.with_name(f"{out.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(parts / ".lock", timeout=0):
            _same_job(parts, job.identity(answering, rows))
            counts, resumed = _parts(answering, rows, job, (parts, kind), progress)
            join_tables([parts / f"{place:05}.{kind}" for place in range(len(counts))], out, kind)
            shutil.rmtree(parts)
    except Timeout:
        hint = "wait for it, or write to another file"
        raise GenrecError(f"another process is writing `{out}`", hint=hint) from None
    sums = {name: sum(one[name] for one in counts) for name in ("rows", "popular", "short")}
    return Written(
        out, len(rows), **sums, resumed=resumed, seconds=time.monotonic() - began, notes=rows.notes
    )


def _same_job(parts: Path, identity: dict[str, Any]) -> None:
    """Note whose parts these are.

    Raises:
        GenrecError: there are another job's.
    """
    file = parts / "job.json"
    if not file.exists():
        file.write_bytes(orjson.dumps(identity))
        return
    there = orjson.loads(file.read_bytes())
    if there != identity:
        differing = [name for name in identity if there.get(name) != identity[name]]
        raise GenrecError(
            f"`{parts}` holds parts of an interrupted call with other {', '.join(differing)}",
            hint="make that call again to finish it, or remove the folder",
        )


def _parts(
    answering: Answering, rows: UserRows, job: Job, place: tuple[Path, str], progress: Progress
) -> tuple[list[dict[str, int]], int]:
    """Make the parts that are missing; the counts of every part, and how many users were there already."""
    folder, kind = place
    items = answering.reader.catalogue.items
    types = {"request": "int64", "rank": "int64", "item": "string", "user": "string", "how": "string"}
    types |= {"score": "double"} | {name: type_of(items.fields[name]) for name in job.fields}
    counts: list[dict[str, int]] = []
    resumed = 0
    with _loaded_kept(), progress("users", len(rows)) as advance:
        # One empty part for no users at all: a file with its columns and no rows.
        for number, start in enumerate(range(0, max(1, len(rows)), job.batch)):
            part, note = folder / f"{number:05}.{kind}", folder / f"{number:05}.json"
            some = list(rows.between(start, start + job.batch))
            if note.exists() and part.exists():
                resumed += len(some)
            else:
                requests = [
                    job.ruled.request(user, history, attributes=known) for user, history, known in some
                ]
                answers = answering.answers(requests, job.k)
                columns = columns_of(answers, items, job.fields)
                del columns["request"]
                write_table(part, columns, kind, types)
                note.write_bytes(orjson.dumps(_counts(answers, job.k)))
            counts.append(orjson.loads(note.read_bytes()))
            advance(len(some))
    return counts, resumed


@contextlib.contextmanager
def _loaded_kept() -> Iterator[None]:
    """Inside, Python's collector does not look at what is there already: model, catalogue, libraries.

    Each time it does takes a quarter of a second, about as long as 300 users.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _counts(answers: Sequence[RankedAnswer], k: int) -> dict[str, int]:
    return {
        "rows": sum(len(answer.ranked.items) for answer in answers),
        "popular": sum(answer.popular for answer in answers),
        "short": sum(len(answer.ranked.items) < k for answer in answers),
    }
