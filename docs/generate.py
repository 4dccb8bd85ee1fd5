"""Writes the pages that follow from the code: docs/cli.md and docs/components.md.

    python docs/generate.py            # write them anew
    python docs/generate.py --check    # say which are out of date, exit 1 if any

The first is the `--help` of every command, the second what `genrec show` prints of every component of the
core and of the SID toolkit. `make check` fails while a page is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from genrec_core.cli import cli, core_commands
from genrec_core.cli.show import described
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import KINDS, Registry

DOCS = Path(__file__).resolve().parent
PLUGINS = ("core", "sid")
WIDTH = 100


def pages() -> dict[str, str]:
    """File name → what it should hold."""
    registry, _ = load_plugins()
    return {"cli.md": _cli_page(), "components.md": _components_page(registry)}


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
