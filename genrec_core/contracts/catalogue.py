"""Catalogue: the items and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import BeamColumns, Candidate
from genrec_core.contracts.identifiers import Identifiers, Tokens
from genrec_core.contracts.items import Items
from genrec_core.contracts.samples import IDENTIFIER


@dataclass(frozen=True)
class Catalogue:
    """Items together with one version of their identifiers.

    Attributes:
        popularity: int64 [N], how often each item occurs in the training view; None when unknown.
    """

    items: Items
    identifiers: Identifiers
    popularity: NDArray[np.int64] | None = None

    def write(self, item: int, form: str = IDENTIFIER) -> str:
        """One item as text: its identifier, or the field named by `form`."""
        return self.identifiers.text(item) if form == IDENTIFIER else self.items.value(item, form)

    def meant(self, candidate: Candidate) -> NDArray[np.int32]:
        """The items that a candidate names: those it carries, else all whose identifier it is; int32."""
        if candidate.items:
            return np.asarray(candidate.items, dtype=np.int32)
        return self.identifiers.items_of(candidate.tokens)

    def columns(self, beams: Sequence[Candidate]) -> BeamColumns:
        """Candidates with the items that they mean, as columns."""
        if isinstance(beams, BeamColumns):
            return beams
        groups = [self.meant(beam) for beam in beams]
        return BeamColumns(
            np.concatenate([*groups, np.zeros(0, dtype=np.int32)]),
            np.asarray([len(group) for group in groups], dtype=np.int64),
            np.asarray([beam.score for beam in beams], dtype=np.float64),
            lambda: beams,
        )

    def named(self, items: NDArray[np.int32], scores: NDArray[np.floating]) -> BeamColumns:
        """Ranked items as candidates, each carrying the item that it means, in their order."""

        def make() -> Iterator[Candidate]:
            taken: set[Tokens] = set()
            for item, score in zip(items.tolist(), scores.tolist(), strict=True):
                tokens = self.identifiers.tokens(item)
                # Items that share an identifier differ by what they carry, not by what is written.
                own = () if tokens in taken else tokens
                yield Candidate(own, score, self.identifiers.separator.join(tokens), (item,))
                taken.add(tokens)

        one_each = np.ones(len(items), dtype=np.int64)
        return BeamColumns(items, one_each, scores.astype(np.float64), make)

    def answers(self, form: str) -> list[str]:
        """All texts in a form, one an item in catalogue order (an item without the field gives "")."""
        return [self.write(item, form) for item in range(len(self.items))]
