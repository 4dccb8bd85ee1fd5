"""Answering: ids and rules in, ranked items out, from sessions that stay open; any thread may ask.

    answering = Answering(reader)
    ruled = answering.ruled(only={"brand": "Zorg"}, exclude_viewed=True)
    answers = answering.answers([ruled.request("anna", history)], k=5)

Rules restrict the search itself, so k items come back wherever k are allowed and the recommender can write
them. A request that says nothing, neither a history nor a message, has no model to ask: it gets the most
popular items that its rules allow, and says so (`RankedAnswer.popular`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from genrec_core.api.histories import Histories
from genrec_core.api.rules import Only, Rules
from genrec_core.api.sessions import SessionPool
from genrec_core.contracts.candidates import Candidates, How, Ranked, best
from genrec_core.contracts.errors import DataError, examples
from genrec_core.contracts.views import Request
from genrec_core.pipeline.run_reader import RunReader


@dataclass(frozen=True)
class RankedAnswer:
    """What one request got.

    Attributes:
        request: with its whole history.
        ranked: at most k items, best first.
        written: what the recommender wrote; None where nobody was asked.
        popular: whether these are the most popular items, because there was nothing to go by.
    """

    request: Request
    ranked: Ranked
    written: Candidates | None = None
    popular: bool = False

    def how(self, place: int) -> str:
        """How the item at a place of the ranking was reached."""
        return self.hows()[place]

    def hows(self) -> list[str]:
        """How each item of the ranking was reached."""
        if self.popular:
            return ["popular"] * len(self.ranked.items)
        return [_HOW[how] for how in self.ranked.how.tolist()]


_HOW = {how.value: how.name.lower() for how in How}


@dataclass(frozen=True)
class Ruled:
    """The rules of one call, worked out.

    Attributes:
        exclude: items that nobody is recommended.
        only: the items that alone are; None for all.
        exclude_viewed: whether the items of a history are left out of its answer.
    """

    exclude: tuple[int, ...] = ()
    only: frozenset[int] | None = None
    exclude_viewed: bool = False

    def request(self, user: str, history: tuple[int, ...], **more: Any) -> Request:
        """A request under these rules; `more` are further fields of it."""
        viewed = tuple(dict.fromkeys(history)) if self.exclude_viewed else ()
        return Request(user, history, exclude=(*self.exclude, *viewed), only=self.only, **more)


class Answering:
    """Whoever asks one run.

    Args:
        reader: the run.
    """

    def __init__(self, reader: RunReader) -> None:
        self.reader = reader
        self._reading = threading.Lock()
        self._pool = SessionPool(reader)

    @cached_property
    def rules(self) -> Rules:
        """The rules of the run's catalogue."""
        return Rules(self.reader.catalogue.items)

    @cached_property
    def histories(self) -> Histories:
        """What is known of the users of the run's data."""
        return Histories(self.reader.prepared.views)

    @cached_property
    def allowed(self) -> frozenset[int] | None:
        """The items that the run's grounder ever gives; None for all."""
        return self.reader.pipeline.spec.ground.allowed(self.reader.catalogue)

    def prepare(self) -> None:
        """Read the catalogue, its rules and the users, once, whichever thread asks first."""
        with self._reading:
            self.rules  # noqa: B018 - read now
            self.histories  # noqa: B018

    def ruled(
        self,
        only: Only = None,
        exclude: Iterable[Any] = (),
        exclude_viewed: bool | None = None,
        notes: list[str] | None = None,
    ) -> Ruled:
        """Rules of a call as sets of items (see `RuleArguments`); `notes` are told what they name in vain."""
        self.prepare()
        if exclude_viewed is None:
            exclude_viewed = self.reader.pipeline.spec.evaluate.filter_viewed
        left_out = self.rules.named(exclude, "exclude", notes)
        return Ruled(left_out, self.rules.only(only, notes), exclude_viewed)

    def history(
        self, ids: Iterable[Any], where: str, notes: list[str] | None = None, *, drop: bool = False
    ) -> tuple[int, ...]:
        """The items of a history, oldest first.

        Args:
            ids: of items.
            where: what to call the history in messages.
            notes: where to say how many ids were dropped.
            drop: leave ids that no item has out, instead of refusing them.

        Raises:
            DataError: an id is no item's.
        """
        every = list(ids)
        found = [self.rules.index_of(one) for one in every]
        unknown = [one for one, index in zip(every, found, strict=True) if index is None]
        if unknown:
            said = f"{len(unknown):,} of {len(every):,} items are not in the catalogue: {examples(unknown)}"
            if not drop:
                hint = 'check the ids, or leave them out with `unknown_items="drop"`'
                raise DataError(said, where=where, hint=hint)
            if notes is not None:
                notes.append(f"{where}: {said}")
        return tuple(index for index in found if index is not None)

    def answers(self, requests: Sequence[Request], k: int) -> list[RankedAnswer]:
        """The k best items for each request, in order.

        Raises:
            GenrecError: the run was closed, or an artefact is gone.
        """
        asked = [row for row, one in enumerate(requests) if one.history or one.message]
        found: dict[int, RankedAnswer] = {}
        if asked:
            with self._pool.session(k) as session:
                pairs = session.answers([requests[row] for row in asked])
                for row, (written, ranked) in zip(asked, pairs, strict=True):
                    found[row] = RankedAnswer(requests[row], ranked.first(k), written)
        return [
            found[row] if row in found else RankedAnswer(one, self._popular(one, k), popular=True)
            for row, one in enumerate(requests)
        ]

    def _popular(self, request: Request, k: int) -> Ranked:
        """The items that occur most often in training, of those that are allowed; scores are counts."""
        counts, field = self.reader.catalogue.popularity, self.reader.pipeline.spec.evaluate.domain_field
        assert counts is not None, "a run knows what occurred in training"
        if field and request.domain:
            request = request.within(self.rules.only({field: request.domain}) or frozenset())
        if self.allowed is not None:
            request = request.within(self.allowed)
        items = np.arange(len(counts), dtype=np.int32)
        items = items[request.allows(items)] if request.ruled else items
        top = items[best(counts[items], k)]
        return Ranked.direct(top, counts[top])

    def close(self) -> None:
        """Close the open sessions."""
        self._pool.close()
