"""`genrec save-models`: the models of a run as folders that other pipelines start from.

A recommender and an ID generator that were trained on some catalogues can be asked about another one:

    genrec save-models runs/idgenrec-paper/latest --to models
    genrec run zero_shot.yaml            # model: {use: core/pretrained, path: models/main}, …
"""

from __future__ import annotations

from pathlib import Path

import click

from genrec_core import GenrecError
from genrec_core.contracts.processes import one_process
from genrec_core.pipeline.console import echo
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins


@click.command("save-models")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of artefacts; by default the one that the run names.",
)
@one_process
def save_models(run: Path, folder: Path, store: Path | None) -> None:
    """Save the models of RUN in Hugging Face format, one folder a slot: FOLDER/main, FOLDER/generator."""
    if folder.exists() and any(folder.iterdir()):
        raise GenrecError(f"`{folder}` is there already and not empty", hint="name a new folder")
    opened = open_run(run, load_plugins()[0], store)
    for slot in opened.pipeline.wiring.last.models:
        opened.model(slot).save(folder / slot)
        echo(f"{slot}  {folder / slot}")
