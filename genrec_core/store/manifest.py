"""Manifests: what an artefact must contain, and whether it still does.

`manifest.json` is written last, so an artefact without one was never finished. It lists every file with
its size and SHA-256 and carries a seal over itself: a flipped bit anywhere, the manifest included, is
noticed, and so is a file that it does not list. A manifest also remembers what the artefact was made from and
what making it cost.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from genrec_core.contracts.errors import ContractError, examples
from genrec_core.contracts.options import regular_file
from genrec_core.store.content import canonical, digest_of, fingerprint

MANIFEST = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        stage: the stage's name.
        fingerprint: hash of the ingredients.
        files: relative path → (bytes, SHA-256).
        ingredients: what the fingerprint was taken of.
        versions: package → version, for people; the fingerprint rests on component versions.
        cost: seconds, memory and whatever else was measured while it was made.
    """

    stage: str
    fingerprint: str
    files: Mapping[str, tuple[int, str]]
    ingredients: Mapping[str, Any]
    versions: Mapping[str, str]
    cost: Mapping[str, Any]


def write_manifest(
    folder: Path,
    stage: str,
    ingredients: Mapping[str, Any],
    versions: Mapping[str, str],
    cost: Mapping[str, Any],
) -> Manifest:
    """Seal a finished folder: every file is flushed to disk, then listed, then the list is written.

    Raises:
        ContractError: the folder contains a link, which would not travel with it.
    """
    files: dict[str, tuple[int, str]] = {}
    shared = (
        folder.stat().st_mode
    )  # what the user's umask allows others; some libraries write for the owner alone
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ContractError(
                f"stage `{stage}` wrote the link `{path.relative_to(folder)}` into its artefact"
            )
        path.chmod(shared & (0o777 if path.is_dir() else 0o666))
        if path.is_file():
            _flush(path)
            files[path.relative_to(folder).as_posix()] = (path.stat().st_size, digest_of(path))
    key = fingerprint(ingredients)
    body = {
        "format": _FORMAT,
        "stage": stage,
        "fingerprint": key,
        "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in files.items()},
        "ingredients": dict(ingredients),
        "versions": dict(versions),
        "cost": dict(cost),
    }
    target = folder / MANIFEST
    target.write_bytes(_written({**body, "seal": fingerprint(body)}))
    _flush(target)
    _flush(folder)
    return Manifest(stage, key, files, ingredients, versions, cost)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None when there is none or its seal is broken."""
    try:
        raw = regular_file(folder / MANIFEST).read_bytes()
        body = orjson.loads(raw)
        if _written(body) != raw:  # the same values written another way: `1e5` with a flipped bit is `1E5`
            return None
        seal = body.pop("seal")
        if fingerprint(body) != seal or body["format"] != _FORMAT or not all(map(_inside, body["files"])):
            return None
        files = {name: (entry["bytes"], entry["sha256"]) for name, entry in body["files"].items()}
        if any(type(size) is not int or size < 0 for size, _ in files.values()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Manifest(
        body["stage"], body["fingerprint"], files, body["ingredients"], body["versions"], body["cost"]
    )


def damage(folder: Path, *, deep: bool) -> str:
    """What is wrong with an artefact, empty when nothing is.

    Args:
        folder: the artefact.
        deep: compare every file's SHA-256; otherwise only its size.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return f"`{MANIFEST}` is missing or was changed"
    present = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not _is_folder(path)
    }
    more = sorted(present.keys() - manifest.files.keys() - {MANIFEST})
    if more:
        return f"{examples(more)} {'is' if len(more) == 1 else 'are'} not in `{MANIFEST}`"
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            return f"`{name}` is missing"
        if path.stat().st_size != size:
            return f"`{name}` has {path.stat().st_size:,} bytes, not {size:,}"
        if deep and digest_of(path) != digest:
            return f"`{name}` has another SHA-256 than when it was written"
    return ""


def _written(sealed: Mapping[str, Any]) -> bytes:
    return orjson.dumps(sealed, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _inside(name: str) -> bool:
    """Whether a name in a manifest, which may be somebody else's, leads to a place in the artefact."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def replace_folder(folder: Path, building: Path, aside: Path) -> None:
    """Put a sealed folder in its place; an old one steps aside first, as a rename cannot overwrite it."""
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    building.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def comparable(ingredients: Mapping[str, Any]) -> Any:
    """Ingredients as they look after a trip through JSON (tuples become lists), for comparing."""
    return orjson.loads(canonical(ingredients))


def _flush(path: Path) -> None:
    """Ask the disk to have it, so that a power cut cannot leave a sealed but empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
