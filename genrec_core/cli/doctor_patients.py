"""Patients of `genrec doctor`: runs, and files of identifiers with the items and embeddings they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.data.identifier_file import in_catalogue_order, read_identifiers
from genrec_core.data.item_file import read_items
from genrec_core.data.problems import Problems
from genrec_core.data.vector_file import read_matrix
from genrec_core.identifiers.diagnosis.diagnosis import Patient
from genrec_core.pipeline.diagnosed import patient_of
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import Registry

Vectors = Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Asked:
    """What the command line named; see the options of `genrec doctor`."""

    runs: tuple[Path, ...]
    files: tuple[Path, ...]
    items: Path | None
    embeddings: Path | None
    encoder: str | None


def patients(asked: Asked) -> dict[str, Patient]:
    """Name → patient, runs first; a name that comes again gets a number.

    Raises:
        GenrecError: nothing was named, or a file cannot be used.
    """
    if not asked.runs and not asked.files:
        raise GenrecError("there is nothing to examine", hint="name a RUN, or a file with --identifiers")
    registry = load_plugins()[0]
    named: dict[str, Patient] = {}
    for run in asked.runs:
        opened = open_run(run, registry)
        _add(named, opened.pipeline.spec.name, patient_of(opened))
    first = next(iter(named.values()), None)
    items = _items(asked.items) if asked.items else first.items if first else None
    for file in asked.files:
        _add(named, file.name.partition(".")[0], _from_file(file, items, first))
    return {name: _with_vectors(patient, asked, registry) for name, patient in named.items()}


def _add(named: dict[str, Patient], name: str, patient: Patient) -> None:
    number = 1
    while (full := name if number == 1 else f"{name}#{number}") in named:
        number += 1
    named[full] = patient


def _items(path: Path) -> Items:
    problems = Problems()
    items, _ = read_items(path, problems)
    problems.refuse()
    return items


def _from_file(file: Path, items: Items | None, first: Patient | None) -> Patient:
    """Identifiers from a file; with the catalogue of a run they are judged by that run's embeddings too."""
    named = read_identifiers(file)
    items = items or Items(tuple(named), {})
    identifiers = Identifiers.of(in_catalogue_order(named, items, str(file)))
    if first is not None and first.items.ids == items.ids:
        return Patient(identifiers, items, first.vectors, first.space)
    return Patient(identifiers, items)


def _with_vectors(patient: Patient, asked: Asked, registry: Registry) -> Patient:
    """The patient with the embeddings that the command line asks for, if it does."""
    items = patient.items
    if asked.embeddings is not None:
        file = asked.embeddings
        return replace(patient, vectors=lambda: _stored(file, len(items)), space=file.name)
    if asked.encoder is not None:
        encoder = _encoder(asked.encoder, registry)
        return replace(patient, vectors=lambda: Context().embed(encoder, items), space=encoder.name)
    return patient


def _encoder(block: str, registry: Registry) -> Encoder:
    try:
        encoder = registry.build("encoder", yaml.safe_load(block))
    except yaml.YAMLError as error:
        raise GenrecError(
            f"`--encoder {block}` is not YAML",
            hint="write a name, or a block like '{use: core/sentence, path: …}'",
        ) from error
    assert isinstance(encoder, Encoder)
    return encoder


@cache
def _stored(file: Path, count: int) -> NDArray[np.float32]:
    """Vectors from a file, float32 [count, d].

    Raises:
        DataError: the file holds no matrix of numbers with a row for each item.
    """
    found = read_matrix(file)
    if len(found) != count or not np.isfinite(found).all():
        raise DataError(
            f"`{file.name}` holds `{found.dtype}{list(found.shape)}`, not {count:,} rows of finite numbers",
            where=str(file),
            hint="one row for each item, in the order of the items",
        )
    return np.asarray(found, dtype=np.float32)
