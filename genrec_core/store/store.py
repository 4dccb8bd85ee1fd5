"""Store: every stage's result in a folder named after what it was made from.

    store/
      train.sft-3f9a…/            an artefact: files and manifest.json
      tmp/train.sft-3f9a….412.0/  one being made; renamed when it is whole
      workspaces/3f9a…/           checkpoints that survive a kill, deleted once the artefact stands
      locks/                      one file lock an artefact: of two runs at once, the second waits and reuses
      answers/                    teachers' answers
      references/  claims/        which runs and processes need what (`references`)

A reader sees a whole artefact or none. Before one is reused its files are hashed again; a damaged one is
deleted and made anew. Locks are the operating system's, so a killed process holds none. A store that cannot
be written still gives out what it holds, and files have the rights that the user's umask gives, so that a
group can share one.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.store.content import fingerprint
from genrec_core.store.manifest import Manifest, damage, read_manifest, replace_folder, write_manifest

Build = Callable[[Path], Mapping[str, Any]]
"""Fills the folder it is given, and returns what that cost."""

_SHORT = 16
_IDLE_LOCK = 24 * 3600.0
"""Seconds after which a lock file that nobody holds is deleted."""
_ABANDONED = 30 * 24 * 3600.0
"""Seconds after which checkpoints that nobody touched are deleted: their pipeline was given up or changed."""
_counter = itertools.count()


class Presence(enum.Enum):
    """Whether an artefact is in the store."""

    ABSENT = "absent"
    PRESENT = "present"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Obtained:
    """An artefact that is there.

    Attributes:
        folder: where its files are.
        manifest: what they are and what they cost.
        reused: it was there before.
        damage: what was wrong with the one that had to be replaced, empty if nothing.
        waited: seconds spent waiting for another run that was making it.
    """

    folder: Path
    manifest: Manifest
    reused: bool
    damage: str = ""
    waited: float = 0.0


class Store:
    """Artefacts under one root folder, which is created on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def folder(self, stage: str, key: str) -> Path:
        """Where the artefact of a stage with this fingerprint is or will be."""
        return self.root / f"{stage}-{key[:_SHORT]}"

    def look(self, stage: str, key: str) -> Presence:
        """Whether an artefact is there, by its manifest and file sizes; `obtain` also checks the content."""
        folder = self.folder(stage, key)
        if not folder.exists():
            return Presence.ABSENT
        return Presence.DAMAGED if damage(folder, deep=False) else Presence.PRESENT

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The manifest of an artefact, None if it is absent or damaged."""
        return read_manifest(self.folder(stage, key))

    def workspace(self, key: str) -> Path:
        """A folder for checkpoints of whatever has this fingerprint; it survives a kill."""
        folder = self.root / "workspaces" / key[:_SHORT]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def obtain(
        self,
        stage: str,
        ingredients: Mapping[str, Any],
        build: Build,
        *,
        versions: Mapping[str, str],
        force: bool = False,
    ) -> Obtained:
        """The artefact made from these ingredients: the one that is there, or a new one.

        Args:
            stage: the stage's name.
            ingredients: JSON values; their hash is the artefact's key.
            build: makes the files, called at most once, while this process holds the artefact's lock.
            versions: package versions to note in the manifest.
            force: make it anew even if it is there.
        """
        key = fingerprint(ingredients)
        folder = self.folder(stage, key)
        began = time.monotonic()
        try:
            lock = self._lock(folder.name)
            lock.acquire()
        except (GenrecError, OSError) as error:
            manifest = None if force or damage(folder, deep=True) else read_manifest(folder)
            if manifest is None or manifest.fingerprint != key:
                raise self._unwritable(error) from error
            return Obtained(folder, manifest, reused=True)
        with contextlib.ExitStack() as held:
            held.callback(lock.release)
            waited = time.monotonic() - began
            found = damage(folder, deep=True) if folder.exists() else ""
            manifest = read_manifest(folder)
            if manifest is not None and not found and not force:
                if manifest.fingerprint != key:
                    raise ContractError(f"`{folder}` holds another artefact whose hash begins alike")
                self._clear_workspace(key)  # its maker may have been killed before it could
                return Obtained(folder, manifest, reused=True, waited=waited)
            manifest = self._make(folder, stage, ingredients, build, versions)
        return Obtained(folder, manifest, reused=False, damage=found, waited=waited)

    def sweep(self) -> int:
        """Delete what killed runs left behind: half-made folders, old checkpoints, lock files.

        What a running process holds stays. Says how many half-made folders there were.
        """
        removed = 0
        for left in sorted((self.root / "tmp").glob("*")):
            artefact = left.name.rpartition(".")[0].rpartition(".")[0]
            removed += self._free(artefact) and _gone(left)
        now = time.time()
        # Read first: asking whether a lock is free touches its file.
        locks = sorted((self.root / "locks").glob("*.lock"))
        idle = [lock for lock in locks if now - _touched(lock) > _IDLE_LOCK]
        for folder in sorted((self.root / "workspaces").glob("*")):
            held = (self.root / "locks").glob(f"*-{folder.name}.lock")
            if now - _touched(folder) > _ABANDONED and all(self._free(lock.stem) for lock in held):
                _gone(folder)
        for lock in idle:
            if self._free(lock.stem):
                lock.unlink(missing_ok=True)
        return removed

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float = -1) -> Iterator[None]:
        """Hold the lock of an artefact, or one of another name.

        Args:
            name: whose.
            timeout: seconds to wait; less than zero: for ever.

        Raises:
            Timeout: somebody else held it all that time.
            GenrecError: the store cannot be written.
        """
        with self._lock(name).acquire(timeout=timeout):
            yield

    def _free(self, artefact: str) -> bool:
        """Whether no running process is making an artefact right now."""
        try:
            with self._lock(artefact).acquire(timeout=0):
                return True
        except (Timeout, GenrecError, OSError):
            return False

    def _make(
        self,
        folder: Path,
        stage: str,
        ingredients: Mapping[str, Any],
        build: Build,
        versions: Mapping[str, str],
    ) -> Manifest:
        building = self.root / "tmp" / f"{folder.name}.{os.getpid()}.{next(_counter)}"
        building.mkdir(parents=True)
        try:
            cost = build(building)
            manifest = write_manifest(building, stage, ingredients, versions, cost)
            replace_folder(
                folder, building, self.root / "tmp" / f"{folder.name}.{os.getpid()}.{next(_counter)}"
            )
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        self._clear_workspace(manifest.fingerprint)
        return manifest

    def _clear_workspace(self, key: str) -> None:
        """Delete the checkpoints of an artefact that stands."""
        shutil.rmtree(self.root / "workspaces" / key[:_SHORT], ignore_errors=True)

    def _lock(self, name: str) -> FileLock:
        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mode = folder.stat().st_mode & 0o666
        except OSError as error:
            raise self._unwritable(error) from error
        return FileLock(folder / f"{name}.lock", mode=mode)

    def _unwritable(self, error: Exception) -> GenrecError:
        if isinstance(error, GenrecError):
            return error
        reason = error.strerror if isinstance(error, OSError) else error
        return GenrecError(
            f"the store `{self.root}` cannot be written: {reason}", hint="name another folder with --store"
        )


def _gone(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return True


def _touched(path: Path) -> float:
    """When something below `path` was last written; the future for what is gone meanwhile."""
    try:
        return max(entry.stat().st_mtime for entry in (path, *path.rglob("*")))
    except OSError:
        return math.inf
