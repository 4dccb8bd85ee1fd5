"""`core/exact`: an identifier reaches exactly the items that carry it.

Candidates are read in score order. An identifier that several items share reaches all of them
(`collisions` says in which order, or that only the first counts); an item that two candidates reach keeps
its better place; a candidate that names nothing is dropped and counted. Equal scores are settled by item
index. A candidate that carries items (a title, say, instead of an identifier) reaches those.

    beams [(id of A and B), (id of C)]   expand → A B C,   first → A C
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import Candidates, How, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.contracts.grounder import Grounder, GrounderSession

Collisions = Literal["expand", "first", "popularity"]


class Exact(Grounder):
    """Grounds identifiers by exact match."""

    class Options(Grounder.Options):
        """Options of exact grounding."""

        collisions: Collisions = "expand"
        """What a shared identifier reaches: all its items in catalogue order (`expand`), all of them most
        popular in training first (`popularity`), or the first in catalogue order alone (`first`)."""

    options: Options

    def open(self, catalogue: Catalogue, context: Context) -> ExactSession:
        """A session over this catalogue.

        Raises:
            GenrecError: `collisions: popularity` without known popularity.
        """
        return ExactSession(self.options.collisions, catalogue)


class ExactSession(GrounderSession):
    """Exact match against one catalogue.

    Args:
        collisions: what a shared identifier reaches.
        catalogue: the items.

    Raises:
        GenrecError: `popularity` where the catalogue does not know it.
    """

    def __init__(self, collisions: Collisions, catalogue: Catalogue) -> None:
        if collisions == "popularity" and catalogue.popularity is None:
            raise GenrecError(
                "`collisions: popularity` needs to know how often items occur in training",
                hint="use `collisions: expand`, or give the catalogue its popularity",
            )
        self._collisions, self._catalogue = collisions, catalogue

    def ground(self, candidates: Candidates) -> Ranked:
        """Distinct items in score order, every one of them `How.DIRECT`.

        Raises:
            ContractError: a candidate's score is not a number.
        """
        columns = self._catalogue.columns(candidates.beams)
        scores, sizes = columns.scores, columns.counts
        items, beams = columns.items, columns.numbers.astype(np.int32)
        if self._collisions == "first":
            firsts = (np.cumsum(sizes) - sizes)[sizes > 0]
            items, beams = items[firsts], beams[firsts]
        if np.isnan(scores).any():
            raise ContractError("a candidate has the score `nan`", hint="a recommender gives finite scores")
        order = self._order(items, scores[beams])
        kept = order
        if len(set(items.tolist())) < len(items):
            _, firsts = np.unique(items[order], return_index=True)
            kept = order[np.sort(firsts)]
        return Ranked(
            items=items[kept],
            scores=scores[beams[kept]].astype(np.float32),
            how=np.full(len(kept), How.DIRECT, dtype=np.uint8),
            candidates=len(sizes),
            invalid=int((sizes == 0).sum()),
            beams=beams[kept],
            reached=np.where(sizes > 0, How.DIRECT, How.NONE).astype(np.uint8),
        )

    def _order(self, items: NDArray[np.int32], scores: NDArray[np.float64]) -> NDArray[np.int64]:
        popularity = self._catalogue.popularity
        if self._collisions != "popularity" or popularity is None:
            return np.lexsort((items, -scores))
        return np.lexsort((items, -popularity[items], -scores))
