"""`genrec data get NAME`: download, check, and hand over to `genrec data import`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from genrec_contrib_datasets.known import KnownData, find, known
from genrec_core import DataError
from genrec_core.contracts.errors import printable
from genrec_core.pipeline.console import echo

_PATH = click.Path(path_type=Path)


@click.command("get", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("extra", nargs=-1, type=click.UNPROCESSED)
@click.option("--out", type=_PATH, help="The data folder to make; NAME by default.")
@click.option("--list", "listed", is_flag=True, help="List the data sets.")
@click.option("--from", "given", type=_PATH, help="Folder that has the files already; nothing is downloaded.")
@click.option("--downloads", type=_PATH, help="Where downloads are kept; the user's cache by default.")
@click.option("--mirror", default="", help="Server to ask instead of the publisher's: https://HOST.")
@click.option("--dry-run", is_flag=True, help="Print what would be downloaded and run.")
@click.pass_context
def get(
    context: click.Context,
    name: str | None,
    extra: tuple[str, ...],
    out: Path | None,
    listed: bool,
    given: Path | None,
    downloads: Path | None,
    mirror: str,
    dry_run: bool,
) -> None:
    """Download a public data set and make a data folder of it.

    Further options go to `genrec data import`, such as --min-rating 4 --rating-column rating. The licence of
    a data set is its publisher's; it is printed before anything is downloaded.
    """
    if listed or not name:
        _list()
        return
    data = find(name)
    out = out or Path(data.name)
    folder = given or (downloads or _cache()) / data.name
    arguments = [part.replace("{folder}", str(folder)) for part in data.arguments]
    arguments += ["--out", str(out), *extra]
    if out.exists():
        raise DataError(f"`{out}` exists already", hint="choose another --out, or remove it first")
    echo(f"{data.title}\nlicence  {data.licence}\npage     {data.page}")
    if given is None:
        _download(data, folder, mirror, dry_run)
    else:
        _look_for(data, folder)
    echo(f"$ {shlex.join(['genrec', 'data', 'import', *arguments])}")
    if not dry_run:
        _import(context, arguments)


def _list() -> None:
    for one in known():
        echo(f"{one.name:<44}{one.title}")


def _cache() -> Path:
    """Where downloads are kept: `GENREC_DOWNLOADS`, or the user's cache."""
    named = os.environ.get("GENREC_DOWNLOADS")
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path(base or Path.home() / ".cache") / "genrec" / "downloads"


def _download(data: KnownData, folder: Path, mirror: str, dry_run: bool) -> None:
    from genrec_contrib_datasets.download import fetch, unpack

    asked_for = [file.name for file in data.files if not file.address]
    if asked_for:
        raise DataError(
            f"`{data.name}` is not downloaded here: {data.licence}",
            where=data.page,
            hint=f"put {', '.join(asked_for)} into a folder and name it with --from",
        )
    for file in data.files:
        address = _at(mirror, file.address)
        if dry_run:
            echo(f"would download {address}")
            continue
        archive = fetch(file, folder, address, _Bar(file.name))
        echo(f"{file.name}: {archive.stat().st_size:,} bytes, {'as published' if file.digest else 'sound'}")
        unpack(archive, file.members)


def _at(mirror: str, address: str) -> str:
    """The same path on another server."""
    return mirror.rstrip("/") + urlsplit(address).path if mirror else address


def _look_for(data: KnownData, folder: Path) -> None:
    wanted = [Path(name).name for file in data.files for name in (file.members or (file.name,))]
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        hint = f"`{data.name}` is made of {', '.join(wanted)}; see {data.page}"
        raise DataError(f"no {', '.join(missing)} there", where=str(folder), hint=hint)


class _Bar:
    """Tells how far a download is: a line that moves on a terminal, one a tenth of the file elsewhere."""

    def __init__(self, name: str) -> None:
        self.name, self.told = name, -1

    def __call__(self, size: int, whole: int) -> None:
        tenth = size * 10 // whole if whole else size >> 27
        if sys.stderr.isatty():
            told = printable(f"{self.name}: {size:,} of {whole or '?':,} bytes")
            click.echo("\r" + told, nl=size == whole, err=True)  # `echo` would write the \r out
        elif tenth != self.told:
            echo(f"{self.name}: {size:,} of {f'{whole:,}' if whole else '?'} bytes", err=True)
        self.told = tenth


def _import(context: click.Context, arguments: list[str]) -> None:
    """Run the command beside this one."""
    group = context.parent
    command = (
        group.command.get_command(group, "import")
        if group and isinstance(group.command, click.Group)
        else None
    )
    if group is None or command is None:
        raise DataError("`genrec data import` is not here", hint="this version of genrec-core lacks it")
    with command.make_context("import", arguments, parent=group) as inner:
        command.invoke(inner)
