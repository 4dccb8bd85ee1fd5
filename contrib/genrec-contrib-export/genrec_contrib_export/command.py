"""`genrec export RUN --to FOLDER`."""

from __future__ import annotations

from pathlib import Path

import click

from genrec_core.pipeline.console import echo
from genrec_core.pipeline.numbers import Whole
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option(
    "--examples", type=Whole(0, 100_000), default=3, show_default=True,
    help="Test histories on which the folder, in a fresh process, is compared with the run.",
)  # fmt: skip
@click.option(
    "--store", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of artefacts; by default the one that the run names.",
)  # fmt: skip
def export(run: Path, folder: Path, examples: int, store: Path | None) -> None:
    """Write RUN as a folder that transformers and serving engines load: weights, identifiers, trie, card."""
    from genrec_contrib_export.exporting import export_run  # imports torch

    done = export_run(open_run(run, load_plugins()[0], store), folder, examples)
    echo(f"written to {done.folder}")
    if done.checked:
        echo(f"{done.checked} of {done.examples} examples: generate gives what the run recommends")
    for note in done.notes:
        echo(f"note: {note}")
