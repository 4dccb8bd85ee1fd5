"""Preparing: what is kept of what a thinking model recommends, and where such entries come from.

    beams <a_1><b_1><c_4> .5, <a_1><b_1><c_9> .2, <a_7><b_0><c_2> .3      depth 2
    → prefixes <a_1><b_1> .7, <a_7><b_0> .3

Prefixes are read off whole identifiers, so any recommender that writes them can think ahead, one that merges
several thoughts too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from genrec_core import Candidates, Catalogue, RecommenderSession, Request
from genrec_core.contracts.identifiers import Tokens
from genrec_plugin_onerec_think.boundaries import boundaries
from genrec_plugin_onerec_think.store import ThinkAheadEntry, ThinkAheadStore


def prefixes_of(
    answer: Candidates, identifiers_begin: str, depth: int, most: int
) -> tuple[tuple[Tokens, ...], tuple[float, ...]]:
    """The first tokens of an answer's identifiers, best first, and the log of their summed probability.

    Args:
        answer: whole identifiers with log-probabilities.
        identifiers_begin: the boundary token before every identifier, "" for none; it is no level.
        depth: levels of a prefix.
        most: most prefixes.

    >>> beams = [(("a", "b", "c"), 0.5), (("a", "x", "c"), 0.3), (("d", "b", "c"), 0.2)]
    >>> prefixes_of(answer_of(beams), "", 1, 10)
    ((('a',), ('d',)), (-0.223..., -1.609...))
    """
    summed: dict[Tokens, float] = {}
    for beam in answer.beams:
        length = depth + (beam.tokens[:1] == (identifiers_begin,))
        prefix = beam.tokens[:length]
        if prefix:
            summed[prefix] = float(np.logaddexp(summed.get(prefix, -np.inf), beam.score))
    best = sorted(summed, key=lambda prefix: -summed[prefix])[:most]
    return tuple(best), tuple(summed[prefix] for prefix in best)


def entry_of(
    request: Request, answer: Candidates, catalogue: Catalogue, *, depth: int, most: int, maker: str = ""
) -> ThinkAheadEntry:
    """What is kept of an answer that was made ahead of time."""
    prefixes, scores = prefixes_of(answer, boundaries(catalogue.identifiers)[0], depth, most)
    return ThinkAheadEntry(
        user=request.user,
        prefixes=prefixes,
        thought=answer.thought,
        items=tuple(_first_item(prefix, answer, catalogue) for prefix in prefixes),
        scores=scores,
        history=tuple(catalogue.items.ids[item] for item in request.history),
        maker=maker,
        made=time.time(),
    )


def _first_item(prefix: Tokens, answer: Candidates, catalogue: Catalogue) -> str:
    """The id of the best item of an answer whose identifier begins with a prefix."""
    beam = next(beam for beam in answer.beams if beam.tokens[: len(prefix)] == prefix)
    return catalogue.items.ids[int(catalogue.meant(beam)[0])]


class PreparedEntries(Protocol):
    """Where prepared entries come from."""

    def entries(self, requests: Sequence[Request]) -> list[ThinkAheadEntry | None]:
        """An entry for each request; None where nothing was prepared."""

    def close(self) -> None:
        """Let go of what is behind it."""


class FromStore:
    """Entries of a store, by user.

    Args:
        store: the store.
    """

    def __init__(self, store: ThinkAheadStore) -> None:
        self._store = store

    def entries(self, requests: Sequence[Request]) -> list[ThinkAheadEntry | None]:
        """One look-up for all."""
        return self._store.get([request.user for request in requests])

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class OnTheSpot:
    """Entries made now by the model that thinks, as it would have made them `lag` items ago.

    Args:
        thinker: recommends whole identifiers.
        catalogue: items and identifiers.
        depth, most, lag: see `ThinkAhead.Options`.
    """

    def __init__(
        self, thinker: RecommenderSession, catalogue: Catalogue, depth: int, most: int, lag: int
    ) -> None:
        self._thinker, self._catalogue = thinker, catalogue
        self._depth, self._most, self._lag = depth, most, lag
        self.spent: list[dict[str, int]] = []

    def entries(self, requests: Sequence[Request]) -> list[ThinkAheadEntry | None]:
        """One for every request; `spent` tells the tokens of each."""
        asked = [
            replace(
                request,
                history=request.history[: max(0, len(request.history) - self._lag)],
                exclude=(),
                only=None,
            )
            for request in requests
        ]
        answers = list(self._thinker.recommend(asked))
        self.spent = [answer.phases for answer in answers]
        return [
            entry_of(request, answer, self._catalogue, depth=self._depth, most=self._most)
            for request, answer in zip(asked, answers, strict=True)
        ]

    def close(self) -> None:
        """Close the recommender."""
        self._thinker.close()
