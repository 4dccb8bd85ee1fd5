"""`grlm/eig`: elastic identifier grounding, paper section 3.3.

Two tracks. A candidate that is some item's identifier is mapped directly. Any other is mapped to the
identifier whose structure it shares best (Eq. 4, `term_index`); one that shares no term with any reaches
nothing and is counted as invalid.

    terms written  kenya raw soap lux bar      soap raw ghana clean bar: 0.5
                                               shampoo raw soap clean bar: 0.75, taken

Both tracks lead to an identifier, and what items an identifier stands for is one question with one answer:
`collisions`, as in `core/exact`. Eq. 4 leaves open which of several equally good identifiers is meant; `ties`
says it. The paper ranks what was mapped structurally by its beam's score; the authors' repository puts it
behind everything that was mapped directly, which is `order: direct-first`.

An answer with another number of terms than any identifier has (three where all have five) is *malformed*.
Eq. 4 maps it by the terms that it has, as it does the others; the log counts such answers (`answers`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from genrec_core import (
    Candidate,
    Candidates,
    Catalogue,
    Context,
    GenrecError,
    Grounder,
    GrounderSession,
    How,
    Ranked,
)
from genrec_core.builtin.exact import Exact
from genrec_plugin_grlm.term_index import Fit, TermIndex


class ElasticGrounding(Grounder):
    """Direct map, then the best structural fit."""

    version = "1"

    class Options(Grounder.Options):
        """How what is no identifier is mapped, and who wins where several could."""

        match: Literal["position", "anywhere", "off"] = "position"
        """Where a term must stand to count: in its own `position` (Eq. 4); `anywhere`, as in the authors'
        repository, where the j-th term weighs 1/j; or `off`: no structural map, which is `core/exact`."""
        partial: float = Field(0.8, ge=0, le=1)
        """With `match: anywhere`, what a term counts that contains one of the identifier's or is contained in
        it; 0 for nothing."""
        ties: Literal["catalogue", "popularity"] = "catalogue"
        """Which of equally good identifiers is meant: the first in the catalogue, or the one whose items
        occur most often in training."""
        collisions: Literal["expand", "first", "popularity"] = "expand"
        """What a shared identifier reaches: all its items in catalogue order (`expand`), all of them most
        popular in training first (`popularity`), or the first in catalogue order alone (`first`)."""
        order: Literal["score", "direct-first"] = "score"
        """Items in the order of their beams' scores, or all direct ones first (`direct-first`; the scores of
        the others are then lowered by one constant)."""

    options: Options

    def open(self, catalogue: Catalogue, context: Context) -> ElasticSession:
        """A session with the index of this catalogue's identifiers.

        Raises:
            GenrecError: popularity is asked for and not known, or identifiers are too long for the index.
        """
        exact = Exact(collisions=self.options.collisions).open(catalogue, context)
        return ElasticSession(self.options, catalogue, exact, context)


class ElasticSession(GrounderSession):
    """Elastic grounding in one catalogue.

    Args:
        options: those of `grlm/eig`.
        catalogue: the items.
        exact: grounds what is an identifier, or was mapped to one.
        context: its log gets a line `answers` when the session is closed.

    Raises:
        GenrecError: popularity is asked for and not known, or identifiers are too long for the index.
    """

    def __init__(
        self,
        options: ElasticGrounding.Options,
        catalogue: Catalogue,
        exact: GrounderSession,
        context: Context,
    ) -> None:
        if options.ties == "popularity" and catalogue.popularity is None:
            raise GenrecError(
                "`ties: popularity` needs to know how often items occur in training",
                hint="use `ties: catalogue`, or give the catalogue its popularity",
            )
        self._options, self._catalogue, self._exact = options, catalogue, exact
        self._lengths = frozenset(map(len, catalogue.identifiers.distinct()))
        self._context, self._answers, self._malformed = context, 0, 0
        self._index = None if options.match == "off" else TermIndex(catalogue.identifiers)

    def ground(self, candidates: Candidates) -> Ranked:
        """Distinct items in score order, each direct or structural."""
        beams, how = [], []
        for beam in candidates.beams:
            direct = len(self._catalogue.meant(beam)) > 0
            self._answers += 1
            self._malformed += not direct and len(beam.tokens) not in self._lengths
            mapped = None if direct else self._mapped(beam)
            beams.append(mapped or beam)
            how.append(How.DIRECT if direct else How.STRUCTURAL if mapped else How.NONE)
        if self._options.order == "direct-first":
            beams = _lowered(beams, how)
        ranked = self._exact.ground(Candidates(tuple(beams)))
        reached = np.asarray(how, dtype=np.uint8)
        return replace(ranked, how=reached[ranked.beams], reached=reached)

    def close(self) -> None:
        """Log how many answers there were, and how many had another number of terms than any identifier."""
        if self._answers:
            self._context.log("answers", answers=self._answers, malformed=self._malformed)
        self._answers = self._malformed = 0
        self._exact.close()

    def _mapped(self, beam: Candidate) -> Candidate | None:
        """The candidate with the identifier that its terms fit best, None where they fit none."""
        if self._index is None:
            return None
        if self._options.match == "anywhere":
            fit = self._index.anywhere(beam.tokens, self._options.partial)
        else:
            fit = self._index.by_position(beam.tokens)
        return None if fit is None else replace(beam, tokens=self._chosen(fit, self._index))

    def _chosen(self, fit: Fit, index: TermIndex) -> tuple[str, ...]:
        if self._options.ties == "catalogue" or len(fit.identifiers) == 1:
            return index.rows[int(fit.identifiers[0])]
        return index.rows[int(fit.identifiers[np.argmax(_popularity(fit, index, self._catalogue))])]


def _popularity(
    fit: Fit, index: TermIndex, catalogue: Catalogue
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How often the items of each identifier occur in training."""
    assert catalogue.popularity is not None, "refused when the session was opened"
    items = (catalogue.identifiers.items_of(index.rows[place]) for place in fit.identifiers.tolist())
    return np.asarray([int(catalogue.popularity[few].sum()) for few in items], dtype=np.int64)


def _lowered(beams: list[Candidate], how: list[How]) -> list[Candidate]:
    """The candidates, those that were not mapped directly below all that were."""
    scores = [beam.score for beam in beams]
    fall = max(scores, default=0.0) - min(scores, default=0.0) + 1.0
    return [
        beam if one is How.DIRECT else replace(beam, score=beam.score - fall)
        for beam, one in zip(beams, how, strict=True)
    ]
