"""`genrec doctor`: the health of identifiers, of a run's or of a file's, in full or side by side.

genrec doctor runs/shop/latest                               one diagnosis
genrec doctor runs/a/latest --identifiers other-ids.jsonl    two columns of one table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genrec_core.cli.environment import JSON, STORE
from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.data.defects import Defects
from genrec_core.data.identifier_file import in_catalogue_order, read_identifiers
from genrec_core.data.item_file import read_items
from genrec_core.data.vector_file import read_matrix
from genrec_core.evaluation.report.figures import count, percent
from genrec_core.evaluation.report.sections import diagnosis_entries, word_entries
from genrec_core.identifiers.diagnosis.diagnosis import Depth, Diagnosis, IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.suggestions import suggestions
from genrec_core.identifiers.health import Level
from genrec_core.identifiers.prefixes import ROLLOUTS
from genrec_core.pipeline.console import echo_json, terminal
from genrec_core.pipeline.diagnosed import inputs_of
from genrec_core.pipeline.numbers import MOST_COUNTED, Whole
from genrec_core.pipeline.run_reader import open_run
from genrec_core.pipeline.yaml_source import parse
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import Registry

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--identifiers",
    "files",
    multiple=True,
    type=_FILE,
    help="Also examine identifiers from a JSON lines file (item_id and a list of tokens).",
)
@click.option("--items", type=_FILE, help="items.jsonl for these; by default the items of the first RUN.")
@click.option(
    "--embeddings", type=_FILE, help="Item vectors for all: .npy or .safetensors, rows in the items' order."
)
@click.option("--encoder", metavar="BLOCK", help="Embed all with this: core/ngrams or '{use: …, path: …}'.")
@click.option(
    "--quick", is_flag=True, help="Only what is counted: no neighbours, duplicates, reconstruction."
)
@click.option("--queries", type=Whole(1, MOST_COUNTED), help="Ask for the neighbours of so many items.")
@STORE
@JSON
def doctor(quick: bool, queries: int | None, as_json: bool, **asked: Any) -> None:
    """Examine identifiers: code usage, collisions, leaves under prefixes, neighbours, duplicates.

    Each RUN and each file becomes a column of one table. Neighbours are looked for among the embeddings of
    the run's own tokenizer, unless others are given.
    """
    depth = Depth(full=not quick, queries=queries)
    found = {name: examine(one, depth) for name, one in _named_inputs(DoctorInputs(**asked)).items()}
    if as_json:
        echo_json(_plain(found))
        return
    if len(found) == 1:
        _print_one(*found.values())
    else:
        _print_side_by_side(found)


def _plain(found: dict[str, Diagnosis]) -> dict[str, Any]:
    """One diagnosis as it is; several by name, in the order given."""
    every = {name: _with_suggestions(one) for name, one in found.items()}
    return every if len(every) > 1 else next(iter(every.values()))


def _with_suggestions(found: Diagnosis) -> dict[str, Any]:
    return {**found.plain(), "suggestions": _listed(suggestions(found))}


def _listed(entries: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries]


@dataclass(frozen=True)
class DoctorInputs:
    """What the command line named; see the options of `genrec doctor`."""

    runs: tuple[Path, ...]
    files: tuple[Path, ...]
    items: Path | None
    embeddings: Path | None
    encoder: str | None
    store: Path | None


def _named_inputs(asked: DoctorInputs) -> dict[str, IdentifierInputs]:
    """Name → what is examined, runs first; a name that comes again gets a number.

    Raises:
        GenrecError: nothing was named, or a file cannot be used.
    """
    if not asked.runs and not asked.files:
        raise GenrecError("there is nothing to examine", hint="name a RUN, or a file with --identifiers")
    registry = load_plugins()[0]
    named: dict[str, IdentifierInputs] = {}
    for run in asked.runs:
        opened = open_run(run, registry, asked.store)
        _add(named, opened.pipeline.spec.name, inputs_of(opened))
    first = next(iter(named.values()), None)
    items = _items(asked.items) if asked.items else first.items if first else None
    for file in asked.files:
        _add(named, file.name.partition(".")[0], _from_file(file, items, first))
    return {name: _with_vectors(inputs, asked, registry) for name, inputs in named.items()}


def _add(named: dict[str, IdentifierInputs], name: str, inputs: IdentifierInputs) -> None:
    number = 1
    while (full := name if number == 1 else f"{name}#{number}") in named:
        number += 1
    named[full] = inputs


def _items(path: Path) -> Items:
    defects = Defects()
    items, _ = read_items(path, defects)
    defects.refuse()
    return items


def _from_file(file: Path, items: Items | None, first: IdentifierInputs | None) -> IdentifierInputs:
    """Identifiers from a file; those of the catalogue of a run are examined with its embeddings."""
    named = read_identifiers(file)
    items = items or Items(tuple(named), {})
    identifiers = Identifiers.of(in_catalogue_order(named, items, str(file)))
    if first is not None and first.items.ids == items.ids:
        return IdentifierInputs(identifiers, items, first.vectors, first.space)
    return IdentifierInputs(identifiers, items)


def _with_vectors(inputs: IdentifierInputs, asked: DoctorInputs, registry: Registry) -> IdentifierInputs:
    """The inputs with the embeddings that the command line asks for, if it does."""
    items = inputs.items
    if asked.embeddings is not None:
        file = asked.embeddings
        return replace(inputs, vectors=lambda: _stored(file, len(items)), space=file.name)
    if asked.encoder is not None:
        encoder = _encoder(asked.encoder, registry)
        return replace(inputs, vectors=lambda: Context().embed(encoder, items), space=encoder.name)
    return inputs


def _encoder(block: str, registry: Registry) -> Encoder:
    try:
        values = parse(block, "--encoder").values
    except GenrecError as error:
        raise GenrecError(
            f"`--encoder {block}` is not YAML: {error.message}",
            where=error.where,
            hint="write a name, or a block like '{use: core/sentence, path: …}'",
        ) from error
    encoder = registry.build("encoder", values)
    assert isinstance(encoder, Encoder)
    return encoder


@cache
def _stored(file: Path, count: int) -> NDArray[np.float32]:
    """Vectors from a file, float32 [count, d].

    Raises:
        DataError: the file holds no matrix of numbers with a row for each item.
    """
    found = read_matrix(file)
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and said below
        vectors = np.asarray(found, dtype=np.float32)
    if len(found) != count or not np.isfinite(vectors).all():
        raise DataError(
            f"`{file.name}` holds `{found.dtype}{list(found.shape)}`, not {count:,} rows of finite numbers "
            "(in float32)",
            where=str(file),
            hint="one row for each item, in the order of the items",
        )
    return vectors


def _print_one(found: Diagnosis) -> None:
    """Everything about one set of identifiers."""
    console = terminal()
    for name, value in [*_summary(found), *diagnosis_entries(found)]:
        console.print(f"{name:<40} {value}", markup=False, soft_wrap=True)
    console.print(_levels(found))
    console.print(_prefixes(found))
    if found.neighbours:
        console.print(_neighbours(found))
    for bucket in found.buckets:
        console.print(f"{bucket.identifier} is shared by {bucket.size:,} items", markup=False, soft_wrap=True)
        for item in bucket.items:
            console.print(f"    {item.id}  {item.text}", markup=False, soft_wrap=True)
    _print_advice(console, found)


def _print_side_by_side(every: Mapping[str, Diagnosis]) -> None:
    """One column a inputs, then the suggestions for each."""
    console = terminal()
    table = _table("", *map(escape, every))
    # Part by part, so that the fourth level of one stands with the first three of another.
    for part in zip(*(_parts(found) for found in every.values()), strict=True):
        for name in dict.fromkeys(name for column in part for name in column):
            table.add_row(name, *(column.get(name, "–") for column in part))
    console.print(table)
    for name, found in every.items():
        console.print(f"{escape(name)}:")
        _print_advice(console, found)


def _parts(found: Diagnosis) -> tuple[dict[str, str], ...]:
    """The figures by which identifiers are compared, name → value: whole, levels, prefixes, the rest."""
    levels, prefixes, rest = {}, {}, {}
    for level in found.levels:
        levels[f"level {level.level}: codes used"] = _used(level)
        levels[f"level {level.level}: perplexity"] = f"{level.perplexity:.1f}"
    for under in found.prefixes:
        prefixes[f"first {under.length}: items sharing"] = percent(under.shared)
        prefixes[f"first {under.length}: leaves, median"] = f"{under.median:g}"
    if near := found.neighbours:
        rest[f"neighbour recall@{near.k}"] = f"{near.recall:.4f}"
        rest["by chance"] = f"{near.chance:.4f}"
        rest["measured in"] = escape(found.space)
    if error := found.reconstruction:
        rest["variance lost"] = percent(error.unexplained)
    if found.words:
        rest.update(word_entries(found.words))
    if found.duplicates and found.duplicates.collisions_explained is not None:
        rest["collisions by near-duplicates"] = percent(found.duplicates.collisions_explained)
    return dict(_summary(found)), levels, prefixes, rest


def _summary(found: Diagnosis) -> list[tuple[str, str]]:
    health = found.health
    length = health["length"]
    merged = [("merged by the text tokenizer", f"{count(health['merged_items'])} items")]
    return [
        ("items", count(health["items"])),
        ("distinct identifiers", count(health["distinct"])),
        (
            "items that share theirs",
            f"{count(health['colliding_items'])} ({percent(health['collision_rate'])})",
        ),
        *(merged if health["merged_items"] else []),
        ("largest bucket", f"{count(health['largest_bucket'])} items"),
        ("tokens", f"{length['min']} to {length['max']}, mean {length['mean']:.2f}"),
        ("new tokens", count(health["new_tokens"])),
    ]


def _levels(found: Diagnosis) -> Table:
    table = _table("level", "items", "codes used", "largest share", "entropy", "perplexity", "")
    for level in found.levels:
        table.add_row(
            str(level.level),
            count(level.items),
            _used(level),
            percent(level.largest_share),
            f"{level.entropy:.3f}",
            f"{level.perplexity:.1f}",
            "ranks" if level.ranks else "",
        )
    return table


def _prefixes(found: Diagnosis) -> Table:
    titles = ("first", "prefixes", "items sharing", "near-dup", "leaves", "median", "mean", "single")
    table = _table(*titles, f"items < {ROLLOUTS}")
    for under in found.prefixes:
        table.add_row(
            str(under.length),
            count(under.prefixes),
            percent(under.shared),
            "–" if under.duplicated is None else percent(under.duplicated),
            f"{under.least} to {count(under.most)}",
            f"{under.median:g}",
            f"{under.mean:.2f}",
            percent(under.single),
            percent(under.few),
        )
    return table


def _neighbours(found: Diagnosis) -> Table:
    assert found.neighbours is not None
    table = _table("first", f"neighbour recall@{found.neighbours.k}", "kept under the prefix", "by chance")
    for kept in found.neighbours.lengths:
        table.add_row(
            str(kept.length), f"{kept.recall:.4f}", percent(kept.kept), percent(kept.kept_by_chance, 2)
        )
    return table


def _print_advice(console: Console, found: Diagnosis) -> None:
    advice = suggestions(found)
    for one in advice:
        console.print(f"• {one.finding}\n  → {one.advice}", markup=False, soft_wrap=True)
    if not advice:
        console.print("nothing to change", markup=False)
    for missing in found.missing:
        console.print(f"not examined: {missing}", markup=False, soft_wrap=True)


def _used(level: Level) -> str:
    return f"{count(level.codes)} of {count(level.possible)}" if level.possible else count(level.codes)


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table
