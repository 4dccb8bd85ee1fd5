"""`core/fused`: several recommenders and baselines answer, and their answers are added.

The trivial way to be above each of its parts, and an honest one as long as the parts stand in the table
beside it. The best items of every part are pooled; an item's score is the weighted sum of what the parts say:

    by: scores    log-probability; an item that a recommender did not write has the lowest one it wrote,
                  unless the recommender can say all items' (`core/dense`)
    by: ranks     1 / (60 + its place in the part's list), nothing for an item that is not in it

The weights are given, or chosen on validation rows: the first part counts 1, and the others one after the
other take the best of a few values, twice round.

    recommend: {use: core/fused, recommenders: [{use: core/beam, beams: 40}], baselines: [core/transitions]}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core.builtin.beam import some_examples
from genrec_core.contracts.baseline import CELLS, Baseline, BaselineSession
from genrec_core.contracts.candidates import Candidates, best
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.recommender import Recommender, RecommenderSession
from genrec_core.contracts.views import Example, Request

VALUES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Weights to choose among."""
OFFSET = 60.0
"""Of reciprocal ranks (Cormack et al. 2009)."""
_TOP = 10


@dataclass(frozen=True)
class _Answer:
    """What one part says to one request.

    Attributes:
        items: int32 [n], the items it would recommend, best first.
        scores: float64 [n], log-probabilities.
        others: float64 [N], log-probabilities of all items, from whoever can say them; else None.
        phases: tokens that were written, by phase.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    others: NDArray[np.float64] | None = None
    phases: Mapping[str, int] = field(default_factory=dict)

    def of(self, pool: NDArray[np.int32], by: str) -> NDArray[np.float64]:
        """What it says of each item of a pool, float64 [len(pool)]."""
        order = np.argsort(self.items)
        place = np.minimum(np.searchsorted(self.items[order], pool), max(0, len(order) - 1))
        named = self.items[order][place] == pool if len(order) else np.zeros(len(pool), dtype=bool)
        if by == "ranks":
            return np.where(named, 1 / (OFFSET + 1 + order[place]), 0.0) if len(order) else named * 0.0
        if self.others is not None:
            return self.others[pool]
        if not len(order):
            return np.zeros(len(pool))
        return np.where(named, self.scores[order][place], self.scores.min())


class Pool(NamedTuple):
    """What is known of one request's best items.

    Attributes:
        items: int32 [P], those that any part would recommend, ascending.
        scores: float64 [parts, P], what each part says of each.
        phases: tokens that were written, by phase.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    phases: dict[str, int]


class Fused(Recommender):
    """Weighted sums of what several recommenders and baselines say of an item."""

    class Options(Recommender.Options):
        """Parts and weights."""

        recommenders: tuple[Recommender, ...] = ()
        """Recommenders that read the model of the slot `main`."""
        baselines: tuple[Baseline, ...] = ()
        """Baselines, fitted on the training rows."""
        by: Literal["scores", "ranks"] = "scores"
        """What is added: log-probabilities, or reciprocal ranks."""
        weights: tuple[Annotated[float, Field(ge=0, le=1e6)], ...] | None = None
        """One for each part, recommenders first; null chooses them on validation rows."""
        pool: int = Field(default=100, ge=1)
        """Items that each part brings, and most that are answered."""
        tune_rows: int = Field(default=2000, ge=1)
        """Validation rows that weights are chosen on, drawn by the seed."""

        @model_validator(mode="after")
        def _weight_a_part(self) -> Self:
            parts = len(self.recommenders) + len(self.baselines)
            if not parts:
                raise ValueError("name at least one part under `recommenders` or `baselines`")
            if self.weights is not None and len(self.weights) != parts:
                raise ValueError(f"`weights` has {len(self.weights)} numbers for {parts} parts")
            foreign = [one.name for one in self.recommenders if set(one.slots) - {"main"}]
            if foreign:
                raise ValueError(f"`{foreign[0]}` reads other model slots than `main`")
            undecided = [one.name for one in self.recommenders if one.undecided()]
            if undecided:
                raise ValueError(f"`{undecided[0]}` leaves options open; give them (`prior_weight`)")
            return self

    options: Options

    def most_candidates(self) -> int:
        """As many as `pool`."""
        return self.options.pool

    def reaching(self, count: int) -> Self:
        """Every part brings `count` items at least."""
        if count <= self.options.pool:
            return self
        recommenders = tuple(one.reaching(count) for one in self.options.recommenders)
        return self.with_options(pool=count, recommenders=recommenders)

    def undecided(self) -> bool:
        """Whether weights are left open."""
        return self.options.weights is None

    def tune(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        valid: Sequence[Example],
        context: Context,
    ) -> dict[str, Any]:
        """The weights with the best Recall@10 on validation rows, of equal ones the best NDCG@10.

        Raises:
            GenrecError: there are no validation rows.
        """
        options = self.options
        examples = some_examples(valid, options.tune_rows, context)
        if not examples:
            raise GenrecError(
                f"`{self.name}` chooses `weights` on validation rows, and there are none",
                hint="give `weights`, or a split with validation rows",
            )
        requests = [example.request() for example in examples]
        targets = np.asarray([example.target for example in examples], dtype=np.int32)
        parts = len(options.recommenders) + len(options.baselines)
        fixed = self.with_options(weights=(1.0,) * parts)
        with fixed.open(models, catalogue, prompts, context) as session:
            pools = list(session.pools(requests))
        weights = _ascended(pools, targets, parts)
        names = [one.name for one in (*options.recommenders, *options.baselines)]
        context.log("tune", weights=dict(zip(names, weights, strict=True)))
        return {"weights": weights}

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> FusedSession:
        """Every part, opened.

        Raises:
            GenrecError: the weights are still open.
        """
        options = self.options
        if options.weights is None:
            raise GenrecError(
                f"the `weights` of `{self.name}` are chosen on validation rows, which was not done yet",
                hint="give `weights`, or let a run choose them",
            )
        recommenders = [
            one.open(models, catalogue, {"main": one.options.prompt or prompts["main"]}, context)
            for one in options.recommenders
        ]
        items = catalogue.items
        baselines = [one.open(context.fitted(one, items), items, context) for one in options.baselines]
        return FusedSession(recommenders, baselines, catalogue, options)


class FusedSession(RecommenderSession):
    """Open parts.

    Args:
        recommenders: the first parts.
        baselines: the others.
        catalogue: the items.
        options: with weights.
    """

    def __init__(
        self,
        recommenders: Sequence[RecommenderSession],
        baselines: Sequence[BaselineSession],
        catalogue: Catalogue,
        options: Fused.Options,
    ) -> None:
        self._recommenders, self._baselines = recommenders, baselines
        self._catalogue, self._options = catalogue, options

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """The best items of the pool; each carries the item it means."""
        weights = np.asarray(self._options.weights, dtype=np.float64)
        for pool, table, phases in self.pools(requests):
            scores = weights @ table
            order = np.lexsort((pool, -scores))[: self._options.pool]
            yield Candidates(self._catalogue.named(pool[order], scores[order]), phases)

    def pools(self, requests: Sequence[Request]) -> Iterator[Pool]:
        """What every part says of the pooled items, for each request."""
        streams = [self._written_by(session, requests) for session in self._recommenders]
        streams += [self._scored_by(session, requests) for session in self._baselines]
        for request, answers in zip(requests, zip(*streams, strict=True), strict=True):
            pool = np.unique(np.concatenate([answer.items for answer in answers]))
            pool = pool[request.allows(pool)] if request.ruled else pool
            phases: Counter[str] = Counter()
            for answer in answers:
                phases.update(answer.phases)
            table = np.stack([answer.of(pool, self._options.by) for answer in answers])
            yield Pool(pool, table, dict(phases))

    def close(self) -> None:
        """Close every part."""
        for session in (*self._recommenders, *self._baselines):
            session.close()

    def _written_by(self, session: RecommenderSession, requests: Sequence[Request]) -> Iterator[_Answer]:
        logs = session.logits(requests)
        if logs is not None:
            for request, row in zip(requests, logs, strict=True):
                yield self._scored(request, row.astype(np.float64))
            return
        for answer in session.recommend(requests):
            columns = self._catalogue.columns(answer.beams)
            items, scores = columns.items, columns.scores[columns.numbers]
            _, first = np.unique(items, return_index=True)
            kept = np.sort(first)[: self._options.pool]
            yield _Answer(items[kept], scores[kept], phases=answer.phases)

    def _scored_by(self, session: BaselineSession, requests: Sequence[Request]) -> Iterator[_Answer]:
        chunk = max(1, CELLS // max(1, session.items))
        for start in range(0, len(requests), chunk):
            some = requests[start : start + chunk]
            for request, row in zip(some, session.logits(some), strict=True):
                yield self._scored(request, row.astype(np.float64))

    def _scored(self, request: Request, logits: NDArray[np.float64]) -> _Answer:
        logits -= logits.max()
        logits -= np.log(np.exp(logits).sum())
        places = np.arange(len(logits), dtype=np.int32)
        places = places[request.allows(places)] if request.ruled else places
        top = places[best(logits[places], self._options.pool)]
        return _Answer(top, logits[top], logits)


def _ascended(pools: Sequence[Pool], targets: NDArray[np.int32], parts: int) -> list[float]:
    """Weights by coordinate ascent, the first one 1, of equal figures the smaller value."""
    width = max(len(pool.items) for pool in pools)
    table = np.full((len(pools), parts, width), -1e9)
    own = np.full(len(pools), -1, dtype=np.int64)
    for row, pool in enumerate(pools):
        table[row, :, : len(pool.items)] = pool.scores
        found = np.flatnonzero(pool.items == targets[row])
        own[row] = found[0] if len(found) else -1
    weights = [1.0] + [0.0] * (parts - 1)
    for _ in range(2):
        for part in range(1, parts):
            figures = {}
            for value in VALUES:
                tried = np.asarray([*weights[:part], value, *weights[part + 1 :]])
                figures[value] = _figures(np.einsum("p,rpw->rw", tried, table), own)
            weights[part] = max(VALUES, key=lambda value: (*figures[value], -value))
    return weights


def _figures(scores: NDArray[np.float64], own: NDArray[np.int64]) -> tuple[float, float]:
    """Recall and NDCG at 10 of the items at `own` in each row, -1 where the target is in no pool."""
    mine = np.where(own >= 0, scores[np.arange(len(own)), own], np.inf)[:, None]
    before = np.arange(scores.shape[1]) < own[:, None]
    ranks = ((scores > mine) | ((scores == mine) & before)).sum(axis=1)
    hit = (own >= 0) & (ranks < _TOP)
    return float(hit.mean()), float(np.where(hit, 1 / np.log2(ranks + 2.0), 0.0).mean())
