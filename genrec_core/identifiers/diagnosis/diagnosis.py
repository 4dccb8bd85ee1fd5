"""Diagnosis: everything the doctor finds out about the identifiers of one catalogue.

`health` needs the identifiers alone; texts add near-duplicates and examples, embeddings add neighbours, a
tokenizer with codebooks adds its error. What could not be found out is left out and said in `missing`.

    buckets          the identifiers that most items share, with some of these items to look at
    text lengths     in words: whether there is enough text to name items by
    reconstruction   how much of the embeddings the codes lose: Σ |x − x̂|² / Σ |x − mean|², where 0 is
                     perfect and 1 is no better than one code for all
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import Reconstruction
from genrec_core.identifiers.diagnosis import duplicates as near_duplicates
from genrec_core.identifiers.diagnosis.duplicates import Alike, NearDuplicates, words_of
from genrec_core.identifiers.diagnosis.neighbours import NeighbourRecall, neighbours
from genrec_core.identifiers.diagnosis.words import WordUse, word_use
from genrec_core.identifiers.health import Level, health, levels
from genrec_core.identifiers.prefixes import Prefixes, UnderPrefixes, under_prefixes

SHOWN_BUCKETS = 5
SHOWN_ITEMS = 3
SHOWN_CHARACTERS = 80
"""Characters of an item's text that are shown."""

SHORT = 3
"""A text of fewer words is short."""


@dataclass(frozen=True)
class BucketItem:
    """One item of a bucket: its id and the beginning of its text."""

    id: str
    text: str


@dataclass(frozen=True)
class Bucket:
    """An identifier that several items share.

    Attributes:
        identifier: as a model writes it.
        size: how many items have it.
        items: the first of them, in catalogue order.
    """

    identifier: str
    size: int
    items: tuple[BucketItem, ...]


@dataclass(frozen=True)
class TextLengths:
    """How long the items' texts are.

    Attributes:
        median_words: of a text.
        short: share of the items with fewer than `SHORT` words (empty ones included).
        empty: how many items have no word at all.
    """

    median_words: float
    short: float
    empty: int


@dataclass(frozen=True)
class Reconstructed:
    """The error that codes leave.

    Attributes:
        unexplained: share of the variance that is lost.
        error: mean squared error of a vector, |x − x̂|².
    """

    unexplained: float
    error: float


@dataclass(frozen=True)
class IdentifierInputs:
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
class Depth:
    """How much is examined.

    Attributes:
        full: also what takes longer than counting: neighbours, near-duplicates, reconstruction.
        queries: items whose neighbours are looked for; None leaves it to `neighbours`.
        seed: of the draw of these.
    """

    full: bool = True
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
        words: what identifiers in plain words say; None for codes.
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
    texts: TextLengths | None = None
    words: WordUse | None = None
    neighbours: NeighbourRecall | None = None
    space: str = ""
    duplicates: NearDuplicates | None = None
    reconstruction: Reconstructed | None = None
    missing: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON values; the entries of `health` stand at the top."""
        rest = {name: value for name, value in asdict(self).items() if name not in ("health", "levels")}
        return {**self.health, **rest}


def examine(inputs: IdentifierInputs, depth: Depth | None = None) -> Diagnosis:
    """The diagnosis of one catalogue's identifiers."""
    depth = depth or Depth()
    prefixes = Prefixes.of(inputs.identifiers)
    missing: list[str] = []
    texts = [inputs.items.text(item) for item in range(len(inputs.items))]
    about = text_lengths(texts)
    found = _alike(texts, missing) if depth.full and about else None
    if about is None:
        missing.append("near-duplicates: the items have no text")
    near, error = _by_vectors(inputs, prefixes, depth, missing)
    return Diagnosis(
        health=health(inputs.identifiers, prefixes),
        levels=tuple(levels(inputs.identifiers, prefixes)),
        prefixes=tuple(
            under_prefixes(prefixes, near_duplicates.explained(found, prefixes) if found else None)
        ),
        buckets=tuple(largest_buckets(inputs.identifiers, prefixes, inputs.items)),
        texts=about,
        words=word_use(inputs.identifiers, texts),
        neighbours=near,
        space=inputs.space if near else "",
        duplicates=near_duplicates.count_near_duplicates(found, prefixes, inputs.items.ids)
        if found
        else None,
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
    inputs: IdentifierInputs, prefixes: Prefixes, depth: Depth, missing: list[str]
) -> tuple[NeighbourRecall | None, Reconstructed | None]:
    """What needs embeddings."""
    if not depth.full:
        missing.append("neighbours, near-duplicates, reconstruction: not asked for (genrec doctor looks)")
        return None, None
    near = None
    if inputs.vectors is None:
        missing.append("neighbours: no embeddings (give --embeddings FILE or --encoder NAME)")
    else:
        near = neighbours(inputs.vectors(), prefixes, queries=depth.queries, seed=depth.seed)
    return near, _error(inputs, missing)


def _error(inputs: IdentifierInputs, missing: list[str]) -> Reconstructed | None:
    if inputs.reconstruct is None:
        return None
    try:
        pair = inputs.reconstruct()
        return reconstructed(pair) if pair else None
    except GenrecError as error:
        # A report must not fail for this at the end of a long run.
        missing.append(f"reconstruction: {error.message}")
        return None


def largest_buckets(identifiers: Identifiers, prefixes: Prefixes, items: Items) -> list[Bucket]:
    """The most crowded identifiers, largest first, ties in catalogue order; empty when none is shared."""
    sizes, first = prefixes.bucket_sizes, prefixes.representatives
    order = np.lexsort((first, -sizes))[:SHOWN_BUCKETS]
    return [_bucket(identifiers, prefixes, items, int(leaf)) for leaf in order if sizes[leaf] > 1]


def _bucket(identifiers: Identifiers, prefixes: Prefixes, items: Items, leaf: int) -> Bucket:
    members = np.flatnonzero(prefixes.leaves == leaf)
    shown = tuple(
        BucketItem(items.ids[item], _cut(items.text(item))) for item in members[:SHOWN_ITEMS].tolist()
    )
    return Bucket(identifiers.text(int(members[0])), len(members), shown)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def text_lengths(texts: Sequence[str]) -> TextLengths | None:
    """Their lengths in words; None when there are no texts."""
    if not any(texts):
        return None
    words = np.asarray([len(words_of(text)) for text in texts])
    return TextLengths(float(np.median(words)), float((words < SHORT).mean()), int((words == 0).sum()))


def reconstructed(pair: Reconstruction) -> Reconstructed:
    """The error between what was quantised and what the codes stand for.

    Raises:
        ContractError: the two are no matrices of one shape.
    """
    if pair.seen.ndim != 2 or pair.seen.shape != pair.decoded.shape:
        raise ContractError(
            f"`reconstruct` gave vectors of shape `{pair.seen.shape}` and `{pair.decoded.shape}`",
            hint="both have a row for each item and the same columns",
        )
    seen = pair.seen.astype(np.float64)
    error = float(np.square(seen - pair.decoded).sum())
    variance = float(np.square(seen - seen.mean(axis=0)).sum())
    return Reconstructed(error / variance if variance else 0.0, error / max(len(seen), 1))
