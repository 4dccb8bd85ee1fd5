"""Writes what follows from the code: pages of commands, components and errors, the layers in architecture.md.

    python docs/generate.py            # write them anew
    python docs/generate.py --check    # say which are out of date, exit 1 if any

The first is the `--help` of every command, the second what `genrec show` prints of every component of the
core and of the SID toolkit, the third (docs/errors.md) the file that `genrec explain-error` reads; layers are
those that import-linter holds, with what each package imports of the others. `make check` fails while a page
is out of date.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from genrec_core.cli import cli, core_commands
from genrec_core.cli.explanations import PAGE as ERRORS
from genrec_core.cli.show import described
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import KINDS, Registry

DOCS = Path(__file__).resolve().parent
PLUGINS = ("core", "sid")
WIDTH = 100


def pages() -> dict[str, str]:
    """File name → what it should hold."""
    registry, _ = load_plugins()
    return {
        "cli.md": _cli_page(),
        "components.md": _components_page(registry),
        "errors.md": ERRORS.read_text(encoding="utf-8"),
        "architecture.md": _with_layers((DOCS / "architecture.md").read_text(encoding="utf-8")),
    }


def _cli_page() -> str:
    parts = ["# Commands", _made_from("the commands' own `--help`")]
    parts += [f"## {title}\n\n```text\n{text}\n```" for title, text in _helps(cli, "genrec", None)]
    return "\n\n".join(parts) + "\n"


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    """Full name and help of a command, then of those below it."""
    settings: dict[str, Any] = {**command.context_settings, "terminal_width": WIDTH}
    with click.Context(command, parent=parent, info_name=name, **settings) as context:
        yield context.command_path, context.get_help().rstrip()
        if isinstance(command, click.Group):
            core = {entry.name for entry in core_commands()}
            names = command.list_commands(context)
            for below in (one for one in names if parent or one in core):
                found = command.get_command(context, below)
                assert found is not None, f"`{below}` is listed and not there"
                yield from _helps(found, below, context)


def _components_page(registry: Registry) -> str:
    parts = [
        "# Components",
        _made_from("what `genrec show` prints"),
        "In a pipeline file a component is written `{use: name, option: value}`, or as its name alone when\n"
        "the defaults will do.",
    ]
    for kind in KINDS:
        names = [name for name in registry.names(kind) if name.partition("/")[0] in PLUGINS]
        parts.append(f"## {kind.capitalize()}")
        parts += [_component(registry, kind, name) for name in names] or ["None yet."]
    return "\n\n".join(parts) + "\n"


def _component(registry: Registry, kind: str, name: str) -> str:
    return f"### {name}\n\n```text\n{described(kind, name, registry.resolve(kind, name)).rstrip()}\n```"


def _with_layers(page: str) -> str:
    """The page with its drawing of the layers as the code has them."""
    begin = "<!-- layers: written by `python docs/generate.py` -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n```text\n{_layers()}\n```\n\n<!-- end of layers -->{rest.partition('-->')[2]}"


def _layers() -> str:
    """One line a layer, highest first: its packages, and the packages below that they import."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    names = [[name.strip().partition(".")[2] for name in layer.split("|")] for layer in layers]
    lines = []
    for place, packages in enumerate(names):
        below = [name for lower in names[place + 1 :] for name in lower]
        for package in packages:
            used = [name for name in below if name in _imported(package)]
            lines.append(f"{package:<12} → {', '.join(used)}" if used else package)
    return "\n".join(lines)


def _imported(package: str) -> set[str]:
    """The packages of the core that the modules of one import, inside functions and for types too."""
    found = set()
    for module in (DOCS.parent / "genrec_core" / package).rglob("*.py"):
        if "templates" not in module.parts:
            found.update(re.findall(r"from genrec_core\.(\w+)", module.read_text(encoding="utf-8")))
    return found - {package}


def _made_from(source: str) -> str:
    return f"<!-- Made from {source} by `python docs/generate.py`; edit the code, not this page. -->"


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` only say which differ."""
    stale = []
    for name, text in pages().items():
        path = DOCS / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        print(f"out of date: {', '.join(stale)}\n  → python docs/generate.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
