"""Term index: which identifiers have a term, at a position or anywhere, and which fits a text best.

Eq. 4 adds up w_j = 1/(j + 1) over the positions j = 1 … N at which what was written and an identifier agree.
Scoring every identifier would cost N comparisons for each; an inverted index visits only those that share a
term with the text. Weights are whole numbers, multiples of the least common denominator: 1/2 equals
1/3 + 1/6, and a tie must be one for the arithmetic too.

    written  a b c d e        a x c x e: 1/2 + 1/4 + 1/6 = 0.9167
                              x b c d e: 1/3 + 1/4 + 1/5 + 1/6 = 0.95, the better fit

The other scheme is the one of the authors' repository: the j-th term written counts 1/j wherever an
identifier has it, and a share of that where it contains a term or is contained in one.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrec_core import GenrecError, Identifiers

LONGEST = 32
"""Terms an identifier may have: beyond that the common denominator leaves 64 bits."""
PARTS = 1000
"""Resolution of a share."""

TermIds = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """The best fit of a text.

    Attributes:
        identifiers: int64, places in `Identifiers.distinct()` that fit equally well, ascending.
        score: how well.
    """

    identifiers: TermIds
    score: float


class TermIndex:
    """The distinct identifiers of a catalogue, by term.

    Args:
        identifiers: any; identifiers may differ in length.

    Raises:
        GenrecError: one has more than `LONGEST` terms.
    """

    def __init__(self, identifiers: Identifiers) -> None:
        self.rows = identifiers.distinct()
        self._terms = {term: code for code, term in enumerate(identifiers.vocabulary)}
        lengths = np.asarray([len(row) for row in self.rows], dtype=np.int64)
        longest = int(lengths.max(initial=1))
        if longest > LONGEST:
            raise GenrecError(
                f"an identifier has {longest} terms, structural grounding takes at most {LONGEST}",
                hint="use `ground: {use: core/exact}`, or shorter identifiers",
            )
        self._codes = np.full((len(self.rows), longest), -1, dtype=np.int64)
        self._codes[np.arange(longest) < lengths[:, None]] = [
            self._terms[term] for row in self.rows for term in row
        ]
        self._credit = np.zeros(len(self.rows), dtype=np.int64)
        self._partial: dict[str, TermIds] = {}

    @property
    def positions(self) -> int:
        """N, how many terms the longest identifier has."""
        return self._codes.shape[1]

    def by_position(self, written: Sequence[str]) -> Fit | None:
        """The identifiers that maximise Eq. 4; None where no term stands in its place."""
        unit = math.lcm(*range(2, self.positions + 2))
        found = [
            (self._postings[place].of(code), unit // (place + 2))
            for place, term in enumerate(written[: self.positions])
            if (code := self._terms.get(term)) is not None
        ]
        return self._best(found, unit)

    def anywhere(self, written: Sequence[str], share: float) -> Fit | None:
        """The identifiers that have most of the terms, early ones counting more, wherever they stand.

        Args:
            written: terms.
            share: what a term counts that contains one of the identifier's, or is contained in it.
        """
        unit = math.lcm(*range(1, self.positions + 1))
        part = round(PARTS * share)
        found = []
        for place, term in enumerate(written[: self.positions]):
            code = self._terms.get(term)
            exact = self._everywhere.of(code) if code is not None else np.zeros(0, dtype=np.int64)
            weight = unit // (place + 1)
            found.append((exact, weight * PARTS))
            if part and term:
                found.append((np.setdiff1d(self._overlapping(term), exact), weight * part))
        return self._best(found, unit * PARTS)

    def _best(self, found: Sequence[tuple[TermIds, int]], unit: int) -> Fit | None:
        touched = np.concatenate([places for places, _ in found]) if found else np.zeros(0, dtype=np.int64)
        if not len(touched):
            return None
        for places, weight in found:
            self._credit[places] += weight
        highest = int(self._credit[touched].max())
        best = np.unique(touched[self._credit[touched] == highest])
        self._credit[touched] = 0
        return Fit(best, highest / unit)

    @cached_property
    def _postings(self) -> list[_Postings]:
        return [_Postings.of_column(column, len(self._terms)) for column in self._codes.T]

    @cached_property
    def _everywhere(self) -> _Postings:
        rows, columns = np.nonzero(self._codes >= 0)
        pairs = np.unique(np.stack([self._codes[rows, columns], rows], axis=1), axis=0)
        return _Postings.sorted(pairs[:, 0], pairs[:, 1], len(self._terms))

    @cached_property
    def _joined(self) -> tuple[str, list[str], list[int]]:
        """All terms in one text, the terms, and where each begins in it."""
        terms = list(self._terms)
        starts = np.cumsum([0, *(len(term) + 1 for term in terms[:-1])]).tolist() if terms else []
        return "\n".join(terms), terms, starts

    def _overlapping(self, term: str) -> TermIds:
        """Identifiers with a term that contains this one or is contained in it."""
        if term not in self._partial:
            text, terms, starts = self._joined
            codes = set()
            place = text.find(term)
            while place >= 0:
                which = bisect_right(starts, place) - 1
                codes.add(self._terms[terms[which]])
                place = text.find(term, starts[which] + len(terms[which]))
            parts = (term[a:b] for a in range(len(term)) for b in range(a + 1, len(term) + 1))
            codes.update(self._terms[part] for part in parts if part in self._terms)
            hits = [self._everywhere.of(code) for code in sorted(codes)]
            self._partial[term] = np.unique(np.concatenate([*hits, np.zeros(0, dtype=np.int64)]))
        return self._partial[term]


@dataclass(frozen=True)
class _Postings:
    """For each term the identifiers that have it, as one array cut by offsets."""

    identifiers: TermIds
    offsets: TermIds

    @classmethod
    def of_column(cls, codes: TermIds, terms: int) -> _Postings:
        """From one term an identifier; -1 for none."""
        order = np.argsort(codes, kind="stable")
        order = order[codes[order] >= 0]
        return cls.sorted(codes[order], order, terms)

    @classmethod
    def sorted(cls, codes: TermIds, identifiers: TermIds, terms: int) -> _Postings:
        """From pairs sorted by term."""
        return cls(identifiers, np.searchsorted(codes, np.arange(terms + 1)).astype(np.int64))

    def of(self, code: int) -> TermIds:
        """The identifiers with a term, ascending."""
        return self.identifiers[self.offsets[code] : self.offsets[code + 1]]
