"""Places: files and folders outside the store that components read, and the options that name them.

    tokenizer.encoder.path   /models/small       an option that is a path, or a text that `inputs` names

In a bundle such files moved along. Its plan says where they are now and what fingerprints call them:

    "moved": {"tokenizer.encoder.path": {"to": "files/0/small", "was": "/models/small"}}

A plan may be somebody else's, so a moved file is one of the bundle itself, or of the bundle that a run with
added items grew from, and an option that moved is one that names a file. Anything else is refused: it would
be read as if it were the run's, and packed into the next bundle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.component import Component, components_in
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import expanded, recordable
from genrec_core.pipeline.run_folder import PLAN
from genrec_core.pipeline.spec import Spec
from genrec_core.registry.problems import shown
from genrec_core.store.manifest import read_manifest

BUNDLE = "bundle"
"""The `stage` of a bundle's manifest."""
_EDITED = "the file was edited or is from another program; bring the run or the bundle again from its origin"


@dataclass(frozen=True)
class Outside:
    """A file outside the store that a component reads.

    Attributes:
        reader: the component.
        way: to the option that names it, as a pipeline file has it; empty if none does.
        was: the option's text in fingerprints.
        place: the file or folder.
    """

    reader: Component
    way: str
    was: str
    place: Path


def read_outside(way: str, component: Component) -> Iterator[Outside]:
    """What one component reads, by the options that name it.

    Args:
        way: to the component, as `components_in` has it.
        component: it.

    Raises:
        GenrecError: see `Component.inputs`.
    """
    inputs = component.inputs()
    named = named_places(component, inputs) if inputs else []
    for path in inputs:
        if not any(_holds(place, path) for _, _, place in named):
            yield Outside(component, "", "", path)
    for name, text, place in named:
        if any(_holds(place, path) for path in inputs):
            yield Outside(component, _written(way, name), component.recorded.get(text, text), place)


def named_places(component: Component, inputs: tuple[Path, ...]) -> list[tuple[str, str, Path]]:
    """Options that name a file: name, text and the path that it means.

    An option that is a path does. A text does where `inputs` has exactly what it says: `separator: /` is no
    folder, though every input lies below one of that name.
    """
    found = [(name, str(path), path) for name, path in component.paths(operational=True)]
    texts = [(name, value) for name, value in component.options if isinstance(value, str) and value]
    named = [(name, value, expanded(value, known=False)) for name, value in texts]
    return found + [(name, value, place) for name, value, place in named if place in inputs]


def moved_files(home: Path, plan: Mapping[str, Any]) -> dict[str, str]:
    """Way of an option → where the file is now that it names, for the files that moved with a run.

    Args:
        home: the run folder.
        plan: the content of its `plan.json`, whose form was checked.

    Raises:
        GenrecError: a file is neither in the run nor in the bundle that it grew from.
    """
    now = {}
    for way, file in plan.get("moved", {}).items():
        if not _belongs(home.resolve(), plan, way, file["to"]):
            raise GenrecError(
                f"{shown(file['to'])}, which `{way}` shall read, leads out of the run",
                where=str(home / PLAN),
                hint=_EDITED,
            )
        place = home.resolve() / file["to"]
        now[way] = str(recordable(place, "give the folder of the bundle, or the one around it, another name"))
    return now


def refuse_other_options(home: Path, spec: Spec, moved: Mapping[str, str]) -> None:
    """Raise unless every option that moved, as `moved_files` gives them, is one that names a file.

    Raises:
        GenrecError: one is something else, such as the component's name.
    """
    for way, place in moved.items():
        if not any(_names(at, component, way, Path(place)) for at, component in components_in(spec)):
            raise refused_moves(home, f"{shown(way)}, which is no option that names a file")


def refused_moves(home: Path, what: str) -> GenrecError:
    """The error for a plan whose `moved` changes something else than the place of a file."""
    return GenrecError(f"`moved` changes {what}", where=str(home / PLAN), hint=_EDITED)


def _names(at: str, component: Component, way: str, place: Path) -> bool:
    if any(_written(at, name) == way for name, _ in component.paths(operational=True)):
        return True
    texts = [name for name, value in component.options if isinstance(value, str)]
    return any(_written(at, name) == way for name in texts) and place in component.inputs()


def _written(way: str, name: str) -> str:
    """The way to an option of a component as a pipeline file has it."""
    steps = f"{way}.{name}".split(".")
    if steps[0] == "train":
        del steps[2]  # a step's trainer, which a file does not name
    return ".".join(steps)


def _holds(place: Path, path: Path) -> bool:
    return place == path or place in path.parents


def _belongs(home: Path, plan: Mapping[str, Any], way: str, to: str) -> bool:
    """Whether a moved file is in a run, in the bundle whose store it reads, or in what it grew from.

    Each run on the way back must say the same of the same option, so that `grown` cannot lead to any folder.
    """
    try:
        place = (home / to).resolve()
        passed: set[Path] = set()
        while home not in passed:
            if _inside(_root(home), place):
                return True
            grown, origin = plan.get("grown", {}), home
            passed.add(origin)
            beside = Path(os.path.normpath(home / plan["store"])).parent
            if grown and _is_bundle(beside) and _inside(beside.resolve(), place):
                return True
            home = (home / str(grown.get("from", ""))).resolve()
            if not (home / PLAN).is_file():
                return False
            plan = orjson.loads((home / PLAN).read_bytes())
            if (home / plan["moved"][way]["to"]).resolve() != place:
                return False
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        pass  # a circle of links, or an origin that was edited itself
    return False


def _root(home: Path) -> Path:
    """The folder of a run, or of the bundle that holds it beside other seeds."""
    return home.parent if home.name.startswith("seed-") and _is_bundle(home.parent) else home


def _is_bundle(folder: Path) -> bool:
    manifest = read_manifest(folder)
    return manifest is not None and manifest.stage == BUNDLE


def _inside(root: Path, place: Path) -> bool:
    """Whether a place is in a folder, and no link in it leads out of that."""
    links = (entry for entry in place.rglob("*") if entry.is_symlink()) if place.is_dir() else ()
    return place.is_relative_to(root) and all(link.resolve().is_relative_to(root) for link in links)
