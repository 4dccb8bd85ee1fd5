"""`genrec bundle` and `genrec unbundle`: a run as one file, for another machine.

genrec bundle runs/shop/latest         shop-20261126-172103.zip: 7 artefacts, 12.4 MB
genrec unbundle shop-20261126-172103.zip
genrec recommend shop-20261126-172103 --history i3,i9
"""

from __future__ import annotations

from pathlib import Path

import click

from genrec_core.cli.environment import JSON, STORE
from genrec_core.pipeline.console import echo, echo_json

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("run", type=_PATH)
@click.option("--out", type=_PATH, help="A file that ends in .zip, or a folder to make.")
@click.option(
    "--without-files",
    is_flag=True,
    help="Leave out files outside the store, such as an encoder's model; new items cannot be added then.",
)
@STORE
@JSON
def bundle(run: Path, out: Path | None, without_files: bool, store: Path | None, as_json: bool) -> None:
    """Put RUN into one file or folder with all that using it elsewhere needs.

    The bundle recommends, takes new items, and is examined and compared like the run itself; it needs neither
    the store nor the data it was made from. Of several seeds all are taken.
    """
    from genrec_core.pipeline.bundle import write_bundle
    from genrec_core.registry.discovery import load_plugins

    registry, reports = load_plugins()
    versions = {report.distribution: report.version for report in reports if not report.error}
    made = write_bundle(run, registry, out, files=not without_files, store=store, versions=versions)
    if as_json:
        echo_json({**vars(made), "path": str(made.path)})
        return
    for missing in made.missing:
        echo(f"left out: {missing}")
    beside = f" and {len(made.files)} outside the store" if made.files else ""
    echo(f"{made.path}: {len(made.artefacts)} artefacts{beside}, {made.bytes / 1e6:,.1f} MB")


@click.command()
@click.argument("path", type=_PATH)
@click.option("--to", type=_PATH, help="The folder to make; by default beside the file, called like it.")
def unbundle(path: Path, to: Path | None) -> None:
    """Unpack the bundle PATH, a .zip file, and verify it; of a folder every file is verified."""
    from genrec_core.pipeline.bundle import unpack_bundle, verify_bundle

    if path.is_dir():
        verify_bundle(path)
        echo(f"{path}: every file is as it was written")
        return
    echo(f"{unpack_bundle(path, to)}: unpacked, and every file is as it was written")
