"""One name, one meaning: what is public at the top of a module is not defined in another one too."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted([*ROOT.glob("plugins/*/genrec_plugin_*"), *ROOT.glob("contrib/*/genrec_contrib_*")])

MEANT_TWICE = {
    "genrec_register": "the hook that every package implements",
    "compare": "the command, and the Python call that does the same",
}
"""Names that two modules of the core may define, each with its reason."""

ONE_A_KIND = ROOT / "genrec_core/testing/checks"
"""A promise that several kinds of component keep has one name in the file of each kind."""

ON_ITS_OWN = ROOT / "contrib/genrec-contrib-export/genrec_contrib_export/shipped"
"""A program that is copied out and knows nothing of GenRec."""


def names(module: str) -> Iterator[str]:
    """Public names that a module's own statements bind, imports left out."""
    for node in ast.parse(module).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            bound = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        else:
            bound = []
        yield from (name for name in bound if not name.startswith("_"))


def is_a_type(name: str) -> bool:
    """Whether a name is written as types are, `LikeThis` and not `like_this` or `LIKE_THIS`."""
    return name[0].isupper() and not name.isupper()


def defined_twice(modules: dict[str, str]) -> dict[str, list[str]]:
    """Name → the places that define it, of names that more than one place defines."""
    places: dict[str, list[str]] = defaultdict(list)
    for place, text in modules.items():
        for name in set(names(text)):
            places[name].append(place)
    return {name: sorted(found) for name, found in places.items() if len(found) > 1}


def modules_of(*folders: Path) -> dict[str, str]:
    """Path → text of the modules below some folders, without templates."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if "templates" not in path.relative_to(folder).parts[:-1] and ON_ITS_OWN not in path.parents
    }


def test_a_name_that_means_two_things_is_found():
    modules = {
        "a": "class Row: ...\nA = B = 1\n_C = 2",
        "b": "Row = tuple[int, ...]\n_C = 3",
        "c": "(A, D) = 1, 2",
    }
    assert defined_twice(modules) == {"Row": ["a", "b"], "A": ["a", "c"]}


def test_no_public_name_of_the_core_means_two_things():
    modules = modules_of(ROOT / "genrec_core")
    kinds = {place for place in modules if ONE_A_KIND in (ROOT / place).parents}
    found = defined_twice(modules)
    assert MEANT_TWICE.keys() <= found.keys(), "a name is defined once now: take it off the list"
    wrong = {
        name: places
        for name, places in found.items()
        if name not in MEANT_TWICE and not kinds.issuperset(places)
    }
    assert wrong == {}


def test_no_type_of_the_core_and_its_packages_has_the_name_of_another():
    twice = defined_twice(modules_of(ROOT / "genrec_core", *PACKAGES))
    assert {name: places for name, places in twice.items() if is_a_type(name)} == {}
