"""Think-Ahead: a slow model thinks before the user comes, a quick one finishes when it is there (§4.4).

    ahead of time   the model that thinks: history so far → thought → the first tokens of some identifiers
    online          another model, trained more recently: history as it is now → items under those tokens

Only prefixes travel. The finishing model never reads the thought; it searches its own probabilities with
the items that begin with a prepared prefix, so a whole answer costs what a plain search costs.

    onerec-think/finish        one slot: prefixes come from a store that `genrec think-ahead RUN` has filled
    onerec-think/think-ahead   two slots: the same for who opens the finished run; the run itself makes them
                               on the spot by its `thinker`, `lag` items ago, to judge both models

A user with nothing prepared, with something stale, or with prefixes under which nothing may be recommended
any more gets the plain search instead. How often which happened is counted (`counts`), logged, and told by
each answer: `phases["prefix"]` is there where prefixes were used.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from genrec_core import (
    Candidates,
    Catalogue,
    Context,
    Corpus,
    GenrecError,
    LanguageModel,
    Recommender,
    RecommenderSession,
    Request,
)
from genrec_core.builtin.beam import Beam, BeamSession
from genrec_core.contracts.identifiers import Tokens
from genrec_core.contracts.options import expanded
from genrec_plugin_onerec_think.preparing import FromStore, OnTheSpot, PreparedEntries
from genrec_plugin_onerec_think.store import REDIS, ThinkAheadEntry, open_store

if TYPE_CHECKING:
    from genrec_core.engine import Decoder

AT_ONCE = 256
"""Requests that are looked up, and then answered, together."""
AHEAD, MISSING, ILLEGAL, EMPTY, UNREACHABLE = "ahead", "missing", "illegal", "empty", "unreachable"
"""What can become of a request, beside `stale-…`; all but the first end in a plain search."""


class Finish(Beam):
    """`core/beam` under prefixes that were prepared for the user; a plain search for everybody else."""

    version = "1"

    class Options(Beam.Options):
        """Those of `core/beam`; where prefixes come from, and when they are too old."""

        store: str = ""
        """Path of a SQLite file, or address of a Redis server, that `genrec think-ahead` has filled."""
        most_age: float | None = Field(None, gt=0)
        """Seconds after which what was prepared is stale; by default never."""
        most_new: int | None = Field(None, ge=0)
        """Items that a user may have added since; by default any number."""

    options: Options
    finishing_slot = "main"

    def needed_modules(self) -> tuple[str, ...]:
        """A client of Redis too, where the store is on a server."""
        return (*self.needs, "redis") if self.options.store.startswith(REDIS) else self.needs

    def inputs(self) -> tuple[Path, ...]:
        """The file of the store, so that a run notices a new filling; a server is not looked at."""
        address = self.options.store
        own = () if not address or address.startswith(REDIS) else (expanded(address),)
        return (*super().inputs(), *own)

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> FinishSession:
        """A session with its store open.

        Raises:
            GenrecError: there is no such store.
        """
        slot = self.finishing_slot
        decoder = self.decoder({"main": models[slot]}, catalogue, context)
        prepared = self.prepared(models, catalogue, prompts, context)
        return FinishSession(decoder, prompts[slot], context, prepared, self.options)

    def prepared(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> PreparedEntries | None:
        """Where entries come from; None answers everybody by a plain search.

        Raises:
            GenrecError: there is no such store.
        """
        return FromStore(open_store(self.options.store, create=False)) if self.options.store else None


class ThinkAhead(Finish):
    """Both models in one pipeline: `main` thinks, `finisher` finishes.

    The run's own evaluation thinks on the spot, since nothing can have been prepared by a run that is not
    finished. Whoever opens the run later (`genrec serve`, `genrec recommend`) finishes from the `store`.
    """

    version = "1"
    slots = ("main", "finisher")
    finishing_slot = "finisher"

    class Options(Finish.Options):
        """Who thinks, and what is kept of it."""

        thinker: Recommender
        """Recommends with the model that thinks, such as `core/think`."""
        depth: int = Field(2, ge=1)
        """Levels of a prefix."""
        prefixes: int = Field(10, ge=1)
        """Most prefixes of a user."""
        lag: int = Field(0, ge=0)
        """On the spot: newest items that the model that thinks does not see, as if it had been asked
        that long ago."""

        @model_validator(mode="after")
        def _one_slot(self) -> ThinkAhead.Options:
            if type(self.thinker).slots != ("main",):
                slots = ", ".join(type(self.thinker).slots)
                raise ValueError(
                    f"`{self.thinker.name}` reads the slots {slots}; a thinker reads `main` alone"
                )
            return self

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """None: the run itself does not read the store."""
        return Beam.inputs(self)

    def is_seeded(self) -> bool:
        """Where the thinker is."""
        return self.options.thinker.is_seeded()

    def prepared(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> PreparedEntries | None:
        """The store for who opens the finished run; the thinker for the run itself, which comes before it."""
        options = self.options
        if options.store and context.workspace is None:
            if options.store.startswith(REDIS) or expanded(options.store).is_file():
                return super().prepared(models, catalogue, prompts, context)
            missing = f"there is no think-ahead store `{options.store}` yet: `{self.name}` thinks on the spot"
            context.log("warning", message=missing)
        thinker = self.thinking(models["main"], catalogue, prompts["main"], context)
        return OnTheSpot(thinker, catalogue, options.depth, options.prefixes, options.lag)

    def thinking(
        self, model: LanguageModel, catalogue: Catalogue, prompt: Corpus, context: Context
    ) -> RecommenderSession:
        """The thinker, opened; it is asked by its own prompt where it names one."""
        own = self.options.thinker.options
        prompt = own.prompts.get("main") or own.prompt or prompt
        return self.options.thinker.open({"main": model}, catalogue, {"main": prompt}, context)


class FinishSession(BeamSession):
    """Finishes what was prepared.

    Args:
        decoder, prompt, context: as `BeamSession` takes them, of the model that finishes.
        prepared: where entries come from; None for nowhere.
        options: when an entry is stale.

    Attributes:
        counts: what became of the requests so far.
    """

    def __init__(
        self,
        decoder: Decoder,
        prompt: Corpus,
        context: Context,
        prepared: PreparedEntries | None,
        options: Finish.Options,
    ) -> None:
        super().__init__(decoder, prompt, context)
        self.counts: Counter[str] = Counter()
        self._prepared, self._options = prepared, options
        self._places = {name: item for item, name in enumerate(decoder.catalogue.items.ids)}
        self._begun: dict[int, dict[Tokens, frozenset[int]]] = {}

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """Candidates in the order of the requests."""
        remaining, before = iter(requests), self.counts.copy()
        while window := list(islice(remaining, AT_ONCE)):
            entries = self._entries(window)
            spent = self._prepared.spent if isinstance(self._prepared, OnTheSpot) else [{}] * len(window)
            asked = [self._narrowed(request, entry) for request, entry in zip(window, entries, strict=True)]
            answers = super().recommend([request for request, _ in asked])
            for (_, supplied), entry, answer, cost in zip(asked, entries, answers, spent, strict=True):
                phases = _added(cost, answer.phases)
                if supplied and isinstance(entry, ThinkAheadEntry):
                    phases["prefix"] = supplied
                    answer = replace(answer, thought=entry.thought)
                yield replace(answer, phases=phases)
        self._context.log("think-ahead", **dict(self.counts - before))

    def _entries(self, window: Sequence[Request]) -> Sequence[ThinkAheadEntry | str | None]:
        """What was prepared for each request; `UNREACHABLE` where a store cannot be asked just now."""
        if self._prepared is None:
            return [None] * len(window)
        try:
            return self._prepared.entries(window)
        except GenrecError as error:
            if not isinstance(self._prepared, FromStore):
                raise
            if not self.counts[UNREACHABLE]:
                self._context.log("warning", message=f"plain searches instead of prepared ones: {error}")
            return [UNREACHABLE] * len(window)

    def _narrowed(self, request: Request, entry: ThinkAheadEntry | str | None) -> tuple[Request, int]:
        """The request for items under the user's prefixes alone, and how many tokens these have.

        Where nothing fits it is the request as it is and 0, and the reason is counted.
        """
        if entry is None or isinstance(entry, str):
            return self._plain(request, entry or MISSING)
        ids, options = self._decoder.catalogue.items.ids, self._options
        stale = entry.staleness(
            now=time.time(),
            history=[ids[item] for item in request.history],
            most_age=options.most_age,
            most_new=options.most_new,
        )
        if stale or self._renamed(entry):
            return self._plain(request, f"stale-{stale or 'identifiers'}")
        below = {prefix: items for prefix in entry.prefixes if (items := self._below(prefix))}
        if not below:
            return self._plain(request, ILLEGAL)
        items = frozenset().union(*below.values())
        if request.only is not None:
            items &= request.only
        if items <= set(request.exclude):
            return self._plain(request, EMPTY)
        self.counts[AHEAD] += 1
        return replace(request, only=items), sum(map(len, below))

    def _renamed(self, entry: ThinkAheadEntry) -> bool:
        """Whether an item that led to a prefix is called otherwise now: its tokens mean another thing."""
        identifiers = self._decoder.catalogue.identifiers
        for prefix, name in zip(entry.prefixes, entry.items, strict=False):
            item = self._places.get(name)
            if item is not None and identifiers.tokens(item)[: len(prefix)] != prefix:
                return True
        return False

    def _plain(self, request: Request, why: str) -> tuple[Request, int]:
        self.counts[why] += 1
        return request, 0

    def _below(self, prefix: Tokens) -> frozenset[int]:
        """The items whose identifiers begin with a prefix."""
        if len(prefix) not in self._begun:
            identifiers = self._decoder.catalogue.identifiers
            begun: dict[Tokens, list[int]] = {}
            for item in range(len(identifiers)):
                begun.setdefault(identifiers.tokens(item)[: len(prefix)], []).append(item)
            self._begun[len(prefix)] = {tokens: frozenset(items) for tokens, items in begun.items()}
        return self._begun[len(prefix)].get(prefix, frozenset())

    def close(self) -> None:
        """Close the store, or the thinker, and the prior."""
        super().close()
        if self._prepared is not None:
            self._prepared.close()


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {phase: one.get(phase, 0) + other.get(phase, 0) for phase in {**one, **other}}


def refuse_other(recommender: Recommender) -> None:
    """Raise unless a recommender writes identifiers that prefixes can be taken from.

    Raises:
        GenrecError: it only finishes what others prepared.
    """
    if isinstance(recommender, Finish) and not isinstance(recommender, ThinkAhead):
        raise GenrecError(
            f"`{recommender.name}` finishes what was prepared and does not think itself",
            hint="name the run of the model that thinks",
        )
