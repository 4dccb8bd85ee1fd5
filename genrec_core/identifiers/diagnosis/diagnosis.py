"""Diagnosis: everything the doctor finds out about the identifiers of one catalogue.

`health` needs the identifiers alone; texts add near-duplicates and examples, embeddings add neighbours, a
tokenizer with codebooks adds its error. What could not be found out is left out and said in `missing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import Reconstruction
from genrec_core.identifiers.diagnosis import duplicates as near_duplicates
from genrec_core.identifiers.diagnosis.buckets import Bucket, largest_buckets
from genrec_core.identifiers.diagnosis.duplicates import Alike, Duplicates
from genrec_core.identifiers.diagnosis.leaves import UnderPrefixes, under_prefixes
from genrec_core.identifiers.diagnosis.neighbours import Neighbours, neighbours
from genrec_core.identifiers.diagnosis.reconstruction import Reconstructed, reconstructed
from genrec_core.identifiers.diagnosis.texts import Texts, texts_of
from genrec_core.identifiers.health import health
from genrec_core.identifiers.prefixes import Prefixes
from genrec_core.identifiers.usage import Level, levels


@dataclass(frozen=True)
class Patient:
    """What is examined.

    Attributes:
        identifiers: of the items, in catalogue order.
        items: the catalogue; fields may be missing.
        vectors: gives embeddings, float32 [N, d]; None where there are none.
        space: where the embeddings come from, for the report.
        reconstruct: gives what the tokenizer's codes keep; None where there are no codebooks.
    """

    identifiers: Identifiers
    items: Items
    vectors: Callable[[], NDArray[np.float32]] | None = None
    space: str = ""
    reconstruct: Callable[[], Reconstruction | None] | None = None


@dataclass(frozen=True)
class Care:
    """How much is examined.

    Attributes:
        dear: also what takes longer than counting: neighbours, near-duplicates, reconstruction.
        queries: items whose neighbours are looked for; None leaves it to `neighbours`.
        seed: of the draw of these.
    """

    dear: bool = True
    queries: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        health: see `health`.
        levels: usage of each token position.
        prefixes: what lies under the prefixes of each length.
        buckets: the most crowded identifiers.
        texts: how long the items' texts are.
        neighbours: neighbour recall.
        space: the embeddings it was measured in.
        duplicates: near-duplicate catalogue entries.
        reconstruction: what the codes lose.
        missing: what could not be found out, and why.
    """

    health: dict[str, Any]
    levels: tuple[Level, ...]
    prefixes: tuple[UnderPrefixes, ...]
    buckets: tuple[Bucket, ...] = ()
    texts: Texts | None = None
    neighbours: Neighbours | None = None
    space: str = ""
    duplicates: Duplicates | None = None
    reconstruction: Reconstructed | None = None
    missing: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values; the entries of `health` stand at the top."""
        rest = {name: value for name, value in asdict(self).items() if name not in ("health", "levels")}
        return {**self.health, **rest}


def examine(patient: Patient, care: Care | None = None) -> Diagnosis:
    """The diagnosis of one catalogue's identifiers."""
    care = care or Care()
    prefixes = Prefixes.of(patient.identifiers)
    missing: list[str] = []
    texts = [patient.items.text(item) for item in range(len(patient.items))]
    about = texts_of(texts)
    found = _alike(texts, missing) if care.dear and about else None
    if about is None:
        missing.append("near-duplicates: the items have no text")
    near, error = _by_vectors(patient, prefixes, care, missing)
    return Diagnosis(
        health=health(patient.identifiers, prefixes),
        levels=tuple(levels(patient.identifiers, prefixes)),
        prefixes=tuple(
            under_prefixes(prefixes, near_duplicates.explained(found, prefixes) if found else None)
        ),
        buckets=tuple(largest_buckets(patient.identifiers, prefixes, patient.items)),
        texts=about,
        neighbours=near,
        space=patient.space if near else "",
        duplicates=near_duplicates.summary(found, prefixes, patient.items.ids) if found else None,
        reconstruction=error,
        missing=tuple(missing),
    )


def _alike(texts: list[str], missing: list[str]) -> Alike | None:
    try:
        return near_duplicates.alike(texts)
    except ModuleNotFoundError as error:
        if error.name != "datasketch":
            raise
        missing.append("near-duplicates: datasketch is not installed (pip install 'genrec-core[doctor]')")
        return None


def _by_vectors(
    patient: Patient, prefixes: Prefixes, care: Care, missing: list[str]
) -> tuple[Neighbours | None, Reconstructed | None]:
    """What needs embeddings."""
    if not care.dear:
        missing.append("neighbours, near-duplicates, reconstruction: not asked for (genrec doctor looks)")
        return None, None
    near = None
    if patient.vectors is None:
        missing.append("neighbours: no embeddings (give --embeddings FILE or --encoder NAME)")
    else:
        near = neighbours(patient.vectors(), prefixes, queries=care.queries, seed=care.seed)
    return near, _error(patient, missing)


def _error(patient: Patient, missing: list[str]) -> Reconstructed | None:
    if patient.reconstruct is None:
        return None
    try:
        pair = patient.reconstruct()
        return reconstructed(pair) if pair else None
    except GenrecError as error:
        # A report must not fail for this at the end of a long run.
        missing.append(f"reconstruction: {error.message}")
        return None
