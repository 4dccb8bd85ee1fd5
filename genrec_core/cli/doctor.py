"""`genrec doctor`: the health of identifiers, of a run's or of a file's, one or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from genrec_core.cli.doctor_patients import Asked, patients
from genrec_core.cli.environment import JSON
from genrec_core.identifiers.diagnosis.diagnosis import Care, Diagnosis, examine
from genrec_core.identifiers.diagnosis.suggestions import suggestions
from genrec_core.pipeline.console import echo_json

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--identifiers",
    "files",
    multiple=True,
    type=FILE,
    help="Also examine identifiers from a JSON lines file (item_id and a list of tokens).",
)
@click.option("--items", type=FILE, help="items.jsonl for these; by default the items of the first RUN.")
@click.option(
    "--embeddings", type=FILE, help="Item vectors for all: .npy or .safetensors, rows in the items' order."
)
@click.option("--encoder", metavar="BLOCK", help="Embed all with this: core/ngrams or '{use: …, path: …}'.")
@click.option(
    "--quick", is_flag=True, help="Only what is counted: no neighbours, duplicates, reconstruction."
)
@click.option("--queries", type=click.IntRange(min=1), help="Ask for the neighbours of so many items.")
@JSON
def doctor(quick: bool, queries: int | None, as_json: bool, **asked: Any) -> None:
    """Examine identifiers: code usage, collisions, leaves under prefixes, neighbours, duplicates.

    Each RUN and each file becomes a column of one table. Neighbours are looked for among the embeddings of
    the run's own tokenizer, unless others are given.
    """
    care = Care(dear=not quick, queries=queries)
    found = {name: examine(patient, care) for name, patient in patients(Asked(**asked)).items()}
    if as_json:
        echo_json(_plain(found))
        return
    from genrec_core.cli.doctor_tables import print_one, print_side_by_side

    if len(found) == 1:
        print_one(*found.values())
    else:
        print_side_by_side(found)


def _plain(found: dict[str, Diagnosis]) -> dict[str, Any]:
    """One diagnosis as it is; several by name, in the order given."""
    every = {name: _with_suggestions(one) for name, one in found.items()}
    return every if len(every) > 1 else next(iter(every.values()))


def _with_suggestions(found: Diagnosis) -> dict[str, Any]:
    return {**found.plain(), "suggestions": _listed(suggestions(found))}


def _listed(entries: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries]
