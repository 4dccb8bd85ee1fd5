"""Candidates and rankings: what generation wrote, and the items it was grounded to.

>>> Ranked.direct(top := best(scores := np.array([0.1, 0.5, 0.5, 0.9]), 2), scores[top]).items
array([3, 1], dtype=int32)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import overload

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.identifiers import Tokens


@dataclass(frozen=True)
class Candidate:
    """One identifier that a recommender wrote.

    Attributes:
        tokens: the identifier's tokens; empty when the text spells none.
        score: log-probability under the recommender's own definition; higher is better.
        text: what was written, when that is more than the tokens.
        items: the items it means, in catalogue order, where whoever wrote it knows them: an answer that is a
            title, or was found by vectors. Empty means that the tokens tell.
    """

    tokens: Tokens
    score: float
    text: str = ""
    items: tuple[int, ...] = ()


class BeamColumns(Sequence[Candidate]):
    """Candidates of one answer as columns; they become objects when somebody looks at one.

    A search over a trie knows the items below every end. Most who ask want these alone, and making twenty
    objects with their tokens for each of thousands of users costs more than the search.

    Args:
        items: int32 [M], what the K candidates mean, one candidate after another; each in catalogue order.
        counts: int64 [K], how many items each means.
        scores: float64 [K], non-increasing.
        make: gives the candidates themselves, K of them, which mean the same.
    """

    def __init__(
        self,
        items: NDArray[np.int32],
        counts: NDArray[np.int64],
        scores: NDArray[np.float64],
        make: Callable[[], Iterable[Candidate]],
    ) -> None:
        self.items, self.counts, self.scores = items, counts, scores
        self._make = make

    @cached_property
    def _candidates(self) -> tuple[Candidate, ...]:
        return tuple(self._make())

    def where(self, keep: NDArray[np.bool_]) -> BeamColumns:
        """The candidates with those of their items at which `keep` [M] holds, less those left with none."""
        if keep.all():
            return self
        left = np.bincount(self.numbers[keep], minlength=len(self.counts))
        stay = (left > 0) | (self.counts == 0)

        def make() -> Iterable[Candidate]:
            ends = np.cumsum(self.counts)
            for place in np.flatnonzero(stay).tolist():
                one, begin = self._candidates[place], int(ends[place] - self.counts[place])
                if left[place] == self.counts[place]:
                    yield one
                else:
                    own = slice(begin, int(ends[place]))
                    yield replace(one, items=tuple(self.items[own][keep[own]].tolist()))

        return BeamColumns(self.items[keep], left[stay], self.scores[stay], make)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """int64 [M], which candidate each item is of."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self._candidates)

    @overload
    def __getitem__(self, place: int) -> Candidate: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, place: int | slice) -> Candidate | tuple[Candidate, ...]:
        return self._candidates[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (tuple, BeamColumns)) and self._candidates == tuple(other)

    def __hash__(self) -> int:
        return hash(self._candidates)

    def __repr__(self) -> str:
        return repr(self._candidates)


@dataclass(frozen=True)
class Candidates:
    """What a recommender answered to one request, best first.

    Attributes:
        beams: candidates in score order, a tuple or `BeamColumns`.
        phases: tokens spent in each phase (`think`, `prefix`, `finish`), over all beams; `cut` counts texts
            that were cut off by their limit, not tokens.
        thought: free text written before the identifiers, if any.
    """

    beams: Sequence[Candidate]
    phases: dict[str, int] = field(default_factory=dict)
    thought: str = ""


class How(IntEnum):
    """How an item of a ranking was reached."""

    NONE = 0
    DIRECT = 1
    STRUCTURAL = 2


@dataclass(frozen=True)
class Ranked:
    """Items in order for one request.

    Attributes:
        items: int32 [k], distinct item indices, best first.
        scores: float32 [k], non-increasing.
        how: uint8 [k], a `How` for each.
        candidates: how many candidates the recommender wrote.
        invalid: how many of them reached no item.
        beams: int32 [k], which candidate each item came from: items that share an identifier share a
            beam, which is what the collision-inflated figure counts. Empty means one item a beam.
        reached: uint8 [candidates], how each candidate was resolved (`How.NONE`: it reached no item), for
            the valid and direct rates at k. Empty when the grounder does not say.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    how: NDArray[np.uint8]
    candidates: int
    invalid: int = 0
    beams: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    reached: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))

    def where(self, keep: NDArray[np.bool_]) -> Ranked:
        """The ranking of the items at which `keep` [k] holds; what was written stays as it was counted."""
        if keep.all():
            return self
        return replace(
            self,
            items=self.items[keep],
            scores=self.scores[keep],
            how=self.how[keep],
            beams=self.beams[keep] if len(self.beams) else self.beams,
        )

    def first(self, count: int) -> Ranked:
        """The ranking of the best `count` items; what was written stays as it was counted."""
        if count >= len(self.items):
            return self
        return replace(
            self,
            items=self.items[:count],
            scores=self.scores[:count],
            how=self.how[:count],
            beams=self.beams[:count],
        )

    def at(self, order: NDArray[np.integer], scores: NDArray[np.floating]) -> Ranked:
        """The ranking in another order [k], with the scores, non-increasing, that it has then."""
        return replace(
            self,
            items=self.items[order],
            scores=scores.astype(np.float32, copy=False),
            how=self.how[order],
            beams=self.beams[order] if len(self.beams) else self.beams,
        )

    @classmethod
    def direct(cls, items: NDArray[np.integer], scores: NDArray[np.floating] | NDArray[np.integer]) -> Ranked:
        """A ranking by a baseline: items named directly, no candidates written."""
        return cls(
            items=items.astype(np.int32, copy=False),
            scores=scores.astype(np.float32, copy=False),
            how=np.full(len(items), How.DIRECT, dtype=np.uint8),
            candidates=0,
        )


def best(scores: NDArray[np.floating] | NDArray[np.integer], k: int) -> NDArray[np.int32]:
    """Indices of the k highest scores, best first, equal ones in index order, int32 [min(k, N)].

    `argpartition` alone would pick any of the items that tie at the edge; here the lowest indices win.
    """
    if k >= len(scores):
        return np.argsort(-scores, kind="stable").astype(np.int32)
    edge = -np.partition(-scores, k - 1)[k - 1] if k else np.inf
    above = np.flatnonzero(scores > edge)
    level = np.flatnonzero(scores == edge)[: k - len(above)]
    chosen = np.concatenate([above, level])
    return chosen[np.lexsort((chosen, -scores[chosen]))].astype(np.int32)
