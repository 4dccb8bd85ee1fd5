"""No import circle in the core, imports for types included, and layers as a drawing shows them."""

from __future__ import annotations

import pytest

grimp = pytest.importorskip("grimp")


def circles(graph) -> list[list[str]]:
    """Sets of modules that import each other, directly or through others (Tarjan's components)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in sorted(graph.find_modules_directly_imported_by(module)):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == number[module]:
            place = stack.index(module)
            together = stack[place:]
            del stack[place:]
            if len(together) > 1:
                found.append(sorted(together))

    for module in sorted(graph.modules):
        if module not in number:
            visit(module)
    return found


def test_a_circle_is_found():
    graph = grimp.ImportGraph()
    for module in "abcd":
        graph.add_module(module)
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")):
        graph.add_import(importer=importer, imported=imported)
    assert circles(graph) == [["a", "b", "c"]]


def test_the_core_has_no_import_circle_not_even_for_types():
    graph = grimp.build_graph("genrec_core", exclude_type_checking_imports=False)
    assert circles(graph) == []
