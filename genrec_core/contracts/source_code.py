"""Source code: the text of what a component is written in, helper modules of its own package among it.

    sources(["genrec_plugin_sid.rq_kmeans"], {"genrec_plugin_sid"})    # rq_kmeans, linear, quantiser, unit, …

What a module imports is read from its text, inside functions too, and found by file: nothing is imported for
it, so the result does not depend on what has been. What only a type checker imports changes no result.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import tokenize
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

_OWN = "genrec_core"
_BUILT_IN = f"{_OWN}.builtin"
_TYPES_ONLY = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def home_package(module: str) -> str:
    """The package whose modules count as one piece of code with a module; empty for the rest of the core."""
    if _within(module, (_BUILT_IN,)):
        return _BUILT_IN
    top = module.partition(".")[0]
    return "" if top == _OWN else top


def sources(modules: Sequence[str], packages: Collection[str]) -> list[str]:
    """Texts of modules, in their order, then of those that they import from some packages, in order of name.

    Args:
        modules: that are imported already.
        packages: from which imports are followed, from module to module.

    Returns:
        Those that there are: a module that was typed into an interpreter, or compiled, has none.
    """
    seen, waiting = set(modules), list(modules)
    while waiting:
        reached = {_module(*one) for one in _imports(waiting.pop())}
        new = {name for name in reached if _within(name, packages)} - seen
        seen |= new
        waiting += new
    texts = [module_text(name) for name in (*modules, *sorted(seen - set(modules)))]
    return [one for one in texts if one]


@functools.lru_cache(maxsize=4096)
def module_text(module: str) -> str:
    """A module's source, as it was when it was first asked for, which is near when it was imported."""
    try:
        file = _file(module)
        if file is None:
            return inspect.getsource(sys.modules[module])
        with tokenize.open(file) as lines:
            return lines.read()
    except (KeyError, OSError, TypeError, SyntaxError, UnicodeDecodeError):
        return ""


@functools.lru_cache(maxsize=4096)
def _imports(module: str) -> tuple[tuple[str, str], ...]:
    """(module, name taken out of it or "") of every import statement."""
    try:
        tree = ast.parse(module_text(module))
    except (SyntaxError, ValueError):
        return ()
    file = _file(module)
    package = module if file is not None and file.name == "__init__.py" else module.rpartition(".")[0]
    found: list[tuple[str, str]] = []
    for one in _statements(tree):
        if isinstance(one, ast.Import):
            found += [(alias.name, "") for alias in one.names]
        elif isinstance(one, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - one.level + 1] if one.level else []
            origin = ".".join([*above, *([one.module] if one.module else [])])
            found += [(origin, alias.name) for alias in one.names]
    return tuple(dict.fromkeys(found))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, without what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in _TYPES_ONLY:
            yield from _statements(ast.Module(node.orelse, []))
        elif isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)):
            yield node
            yield from _statements(node)


def _module(origin: str, name: str) -> str:
    """What `from origin import name` reads: the module of that name if there is one, or else the origin."""
    inner = f"{origin}.{name}"
    return inner if name and _file(inner) is not None else origin


def _file(module: str) -> Path | None:
    """Where a module below an imported package is written; None if it has no text there."""
    top, *parts = module.split(".")
    package = sys.modules.get(top)
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    if not parts:
        inits = [folder / "__init__.py" for folder in folders]
        return next((file for file in inits if file.is_file()), None)
    for folder in (folder.joinpath(*parts) for folder in folders):
        for file in (folder / "__init__.py", folder.with_name(f"{folder.name}.py")):
            if file.is_file():
                return file
    return None


def _within(module: str, packages: Collection[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
