"""`genrec new plugin`: a plugin that works, to change into your own."""

from __future__ import annotations

import re
from pathlib import Path

import click

from genrec_core.pipeline.console import echo

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PREFIX = "genrec-plugin-"
_TEMPLATES = Path(__file__).parent / "templates" / "plugin"

FILES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "tiny.yaml": "tiny.yaml",
    "package.py": "{package}/__init__.py",
    "plugin.py": "{package}/plugin.py",
    "tokenizer.py": "{package}/hashed.py",
    "test_contract.py": "tests/test_contract.py",
}
"""Template file → where it goes in the new folder."""


@click.group()
def new() -> None:
    """Start something of your own."""


@new.command("plugin")
@click.argument("name")
@click.option(
    "--into", type=click.Path(path_type=Path), default=Path(), show_default="here",
    help="The folder in which the plugin's own folder is made.",
)  # fmt: skip
def plugin(name: str, into: Path) -> None:
    """Write a working plugin NAME into the folder genrec-plugin-NAME."""
    folder = scaffold(name, into)
    echo(f"wrote {folder}: a tokenizer `{name}/hashed`, its contract test and a pipeline")
    echo(f"next: pip install -e {folder} && genrec check-plugin {name}")


def scaffold(name: str, into: Path) -> Path:
    """Write the plugin `name` below `into`; gives its folder.

    Raises:
        GenrecError: the name cannot be one, or the folder exists already.
    """
    from genrec_core.contracts.errors import GenrecError

    _check_name(name)
    folder = into / f"{_PREFIX}{name}"
    if folder.exists():
        raise GenrecError(f"`{folder}` exists already", hint="choose another name, or --into another folder")
    package = f"genrec_plugin_{name.replace('-', '_')}"
    words = {"name": name, "package": package, "class": _class_name(name)}
    for template, place in FILES.items():
        target = folder / place.format(**words)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        target.write_text(text, encoding="utf-8")
    return folder


def _check_name(name: str) -> None:
    from genrec_core.contracts.errors import GenrecError

    if name.startswith(_PREFIX):
        raise GenrecError(f"`{name}` repeats what is put in front", hint=f"write `{name[len(_PREFIX) :]}`")
    if not _NAME.fullmatch(name):
        raise GenrecError(
            f"`{name}` cannot be a plugin's name",
            hint="use lower-case words with hyphens between them, like `my-ids`",
        )
    if name == "core":
        raise GenrecError("`core` is the framework's own plugin", hint="choose another name")


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-")) + "Tokenizer"
