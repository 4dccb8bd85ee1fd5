"""References: who needs what of a store, so that the rest can be pruned.

    store/references/5be01c7d….json   a run folder: where it is, and the artefacts that its plan names
    store/claims/host-412-0.json      a process that is at work, and the artefacts that it may read or make

A run is written down when it starts, and again when it is opened from another place. A claim is held by a
lock of the operating system, so that of a killed process nothing stays claimed. Claims are taken while a lock
is held that pruning holds too: what a plan finds in the store stays there until the run ends.

An artefact is

    needed        a run names it that is there, or a process has claimed it
    unneeded      only runs named it that were deleted: pruned
    unreachable   runs name it whose whole folder of runs is not there (a disk that is not mounted, a project
                  that was moved without its store): kept, unless pruning is told otherwise
    unknown       no run that the store knows of: made before runs were written down, or by `--only`: kept too
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import recordable, regular_file
from genrec_core.contracts.processes import one_process
from genrec_core.store.content import fingerprint
from genrec_core.store.manifest import read_manifest
from genrec_core.store.store import Store

_REFERENCES, _CLAIMS = "references", "claims"
_PLANNING = "planning"
_ARTEFACT = re.compile(r"(?P<stage>.+)-[0-9a-f]{16}")
_PLAN = "plan.json"
_counter = itertools.count()


class Need(StrEnum):
    """Whether a run needs an artefact."""

    NEEDED = "needed"
    UNNEEDED = "unneeded"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Kept:
    """An artefact in the store.

    Attributes:
        name: of its folder.
        stage: the stage that made it.
        bytes: size of its files.
        need: whether a run needs it.
        runs: run folders that name it, those that are gone among them.
    """

    name: str
    stage: str
    bytes: int
    need: Need
    runs: tuple[str, ...]


class Claim:
    """Artefacts that this process may read or make; a context manager.

    In a store that cannot be written there is nothing to claim, and nobody who could prune.

    Args:
        store: whose.

    Raises:
        GenrecError: on entering, when plans cannot say where the store is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held = contextlib.ExitStack()
        self._file: Path | None = None
        self._names: set[str] = set()

    def __enter__(self) -> Claim:
        recordable(self._store.root, "name another folder with --store, or work in one with another name")
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @contextlib.contextmanager
    def planning(self) -> Iterator[None]:
        """While this is held nothing is pruned: what is found can be claimed before it goes."""
        with contextlib.ExitStack() as held:
            with contextlib.suppress(GenrecError, OSError):
                held.enter_context(self._store.lock(_PLANNING))
            yield

    def take(self, names: Iterable[str]) -> None:
        """Claim artefacts, by the names of their folders, until this context ends."""
        self._names.update(names)
        with contextlib.suppress(GenrecError, OSError):
            if self._file is None:
                folder = self._store.root / _CLAIMS
                folder.mkdir(parents=True, exist_ok=True)
                self._file = folder / f"{platform.node()}-{os.getpid()}-{next(_counter)}.json"
                lock = FileLock(self._file.with_suffix(".lock"))
                lock.acquire()
                self._held.callback(self._file.with_suffix(".lock").unlink, missing_ok=True)
                self._held.callback(lock.release)
                self._held.callback(self._file.unlink, missing_ok=True)
            _write(self._file, {"artefacts": sorted(self._names)})


def note_run(store: Store, run: Path, runs: Path, artefacts: Sequence[str], *, known: bool = False) -> None:
    """Write down which artefacts a run needs; nothing where the store cannot be written.

    Args:
        store: where they are.
        run: the run folder.
        runs: the folder of all runs that it is in.
        artefacts: names of their folders.
        known: leave it at what is written down about the run, if anything is.

    Raises:
        GenrecError: nothing can be written down about a folder of this name.
    """
    root, run, runs = store.root.resolve(), run.resolve(), runs.resolve()
    if root.is_relative_to(run):
        return  # a bundle, whose store is its own
    for folder in (root, run):
        recordable(folder, "give the folder, or the one around it, another name")
    record = {
        "run": os.path.relpath(run, root),
        "run_was": str(run),
        "runs": os.path.relpath(runs, root),
        "runs_was": str(runs),
        "artefacts": list(artefacts),
    }
    target = store.root / _REFERENCES / f"{fingerprint(str(run))[:16]}.json"
    with contextlib.suppress(OSError):
        if store.root.is_dir() and not (known and target.is_file()):
            target.parent.mkdir(exist_ok=True)
            _write(target, record)


def artefacts_of(plan: Mapping[str, Any], store: Store) -> list[str]:
    """Names of the artefacts that the content of a `plan.json` names."""
    return [store.folder(stage["name"], stage["fingerprint"]).name for stage in plan["stages"]]


def survey(store: Store, runs: Sequence[Path] = ()) -> list[Kept]:
    """Every artefact of a store, largest first.

    Args:
        store: which.
        runs: folders of runs to look through besides those that the store knows of.
    """
    named: dict[str, dict[str, Need]] = {}

    def name(artefacts: Iterable[str], run: str, need: Need) -> None:
        for artefact in artefacts:
            named.setdefault(artefact, {})[run] = need

    # Claims first: a run writes itself down before it lets go of them, so it is seen in one place at least.
    for claim, artefacts in _claimed(store):
        name(artefacts, claim, Need.NEEDED)
    for run, need, artefacts in _noted(store):
        name(artefacts, run, need)
    for folder in runs:
        for plan in sorted(folder.rglob(_PLAN)):
            name(_planned(plan, store), str(plan.parent), Need.NEEDED)
    found = []
    for folder in sorted(store.root.glob("*-*")):
        form = _ARTEFACT.fullmatch(folder.name)
        if form and folder.is_dir():
            users = named.get(folder.name, {})
            need = min(users.values(), key=list(_STRONGEST).index, default=Need.UNKNOWN)
            found.append(Kept(folder.name, form["stage"], _size(folder), need, tuple(users)))
    return sorted(found, key=lambda one: -one.bytes)


_STRONGEST = (Need.NEEDED, Need.UNREACHABLE, Need.UNNEEDED)


@one_process
def prune(
    store: Store, runs: Sequence[Path] = (), also: Sequence[Need] = (), *, dry: bool = False
) -> list[Kept]:
    """Delete the artefacts that no run needs; gives back which.

    Args:
        store: which.
        runs: as in `survey`.
        also: `unreachable` and `unknown` ones too.
        dry: delete nothing.

    Raises:
        GenrecError: the store cannot be written.
    """
    gone = []
    with store.lock(_PLANNING):
        for kept in survey(store, runs):
            if kept.need not in (Need.UNNEEDED, *also) or kept.need is Need.NEEDED:
                continue
            try:
                with store.lock(kept.name, timeout=0):
                    if not dry:
                        # Renamed first: whoever is killed here leaves no half artefact under the name.
                        aside = store.root / "tmp" / f"{kept.name}.{os.getpid()}.{next(_counter)}"
                        aside.parent.mkdir(exist_ok=True)
                        (store.root / kept.name).rename(aside)
                        shutil.rmtree(aside, ignore_errors=True)
                    gone.append(kept)
            except Timeout:
                continue  # somebody is making it anew
        if not dry:
            _forget(store)
    return gone


def _forget(store: Store) -> None:
    """Delete what is written down about runs that are gone, unless nothing else names what is left of them.

    An artefact can be left because another run needed it a moment ago. Were it named by nobody afterwards, it
    could not be told from one whose runs are unknown. A run that has just begun has a folder and no artefact.
    """
    records = {file: _read(file) for file in sorted((store.root / _REFERENCES).glob("*.json"))}
    named = Counter(name for record in records.values() if record for name in set(record["artefacts"]))
    for file, record in records.items():
        artefacts = set(record["artefacts"]) if record else set()
        need = _where(store, record)[1] if record else Need.UNNEEDED
        left = [name for name in artefacts if (store.root / name).exists()]
        by_others = need is Need.UNNEEDED and all(named[name] > 1 for name in left)
        if need is not Need.NEEDED and (not left or by_others):
            file.unlink(missing_ok=True)
            named.subtract(artefacts)


def _noted(store: Store) -> Iterator[tuple[str, Need, list[str]]]:
    """Run, whether it is there, and what it needs, for every run that was written down."""
    for file in sorted((store.root / _REFERENCES).glob("*.json")):
        if record := _read(file):
            run, need = _where(store, record)
            more = _planned(run / _PLAN, store) if need is Need.NEEDED else []
            yield str(run), need, [*record["artefacts"], *more]


def _where(store: Store, record: Mapping[str, Any]) -> tuple[Path, Need]:
    """Where a run is, as seen from the store or where it was; and whether it is there or was deleted."""
    root = store.root.resolve()
    places = [Path(os.path.normpath(root / record["run"])), Path(record["run_was"])]
    for place in places:
        if (place / _PLAN).is_file():
            return place, Need.NEEDED
    homes = (Path(os.path.normpath(root / record["runs"])), Path(record["runs_was"]))
    return places[1], Need.UNNEEDED if any(home.is_dir() for home in homes) else Need.UNREACHABLE


def _claimed(store: Store) -> Iterator[tuple[str, list[str]]]:
    """Claims of processes that are at work; those of dead ones are deleted."""
    for file in sorted((store.root / _CLAIMS).glob("*.json")):
        lock = file.with_suffix(".lock")
        try:
            with FileLock(lock).acquire(timeout=0):
                file.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
        except Timeout:
            if record := _read(file):
                yield f"a process at work ({file.stem})", record["artefacts"]


def _planned(plan: Path, store: Store) -> list[str]:
    """Artefacts that a `plan.json` names; of one that cannot be read none, as no run can be opened by it."""
    try:
        return artefacts_of(orjson.loads(regular_file(plan).read_bytes()), store)
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _size(folder: Path) -> int:
    manifest = read_manifest(folder)
    if manifest is not None:
        return sum(size for size, _ in manifest.files.values())
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _read(file: Path) -> dict[str, Any]:
    """A record of ours; empty for one that somebody edited."""
    try:
        record = orjson.loads(regular_file(file).read_bytes())
        texts = all(isinstance(value, (str, list)) for value in record.values())
        return record if texts and isinstance(record["artefacts"], list) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(file: Path, record: Mapping[str, Any]) -> None:
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2) + b"\n")
    part.replace(file)
