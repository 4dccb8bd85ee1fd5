"""`core/synthetic`: made-up shop data whose transition probabilities are known.

Items belong to kinds, kinds to topics; titles and descriptions share words accordingly. What follows an
item is mostly another of its kind, sometimes one of the next kind in its topic, now and then something
from elsewhere, and with probability `noise` anything by popularity. A model that reads the items' text
can therefore learn the probabilities from fewer interactions than one that sees only ids, and no model can
beat the oracle, which knows them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.contracts.items import Items
from genrec_core.contracts.source import Source
from genrec_core.data.markov import MarkovOracle
from genrec_core.data.wording import Kind, kinds

_OUTDOORS = ("camping trips", "vegetable gardens", "city cycling", "stargazing nights")
_SAME_KIND, _NEXT_KIND = 4, 2
_FADE = 0.8
"""Each successor is chosen this much less often than the one before it."""
_YEAR = 365 * 86_400
_EPOCH = 1_700_000_000
_DAY = 86_400


class Synthetic(Source):
    """Draws items, users and interactions from one seed."""

    version = "1"
    has_oracle = True

    class Options(Source.Options):
        """Options of `core/synthetic`."""

        seed: int = Field(0, ge=0)
        """Seed of the data; not the pipeline's, so that several seeds of a pipeline use the same data."""
        items: int = Field(480, ge=240, le=11_000)
        """Number of items, spread evenly over 48 kinds."""
        users: int = Field(2_000, ge=1, le=1_000_000)
        """Number of users."""
        shortest: int = Field(6, ge=1)
        """Fewest interactions of a user."""
        longest: int = Field(14, ge=1, le=200)
        """Most interactions of a user; lengths in between are equally likely."""
        noise: float = Field(0.35, ge=0, le=1)
        """How often the next item ignores the last one."""
        skew: float = Field(0.6, ge=0, le=3)
        """Zipf exponent of popularity; 0 makes all items equally popular."""
        domains: Literal[1, 2] = 1
        """With 2, every item is labelled `outdoors` or `indoors`, for splits by domain."""

        @model_validator(mode="after")
        def _lengths_in_order(self) -> Synthetic.Options:
            if self.shortest > self.longest:
                raise ValueError(f"`shortest: {self.shortest}` is more than `longest: {self.longest}`")
            return self

    options: Options

    def load(self, context: Context) -> Dataset:
        """The data set, with its oracle."""
        generator = np.random.default_rng(self.options.seed)
        grid = _grid(self.options.items, generator)
        oracle = self._oracle(grid, generator)
        lengths = generator.integers(self.options.shortest, self.options.longest + 1, self.options.users)
        values, offsets = oracle.walk(lengths, generator)
        items = self._items(grid)
        width = len(str(self.options.users - 1))
        labels = items.fields.get("domain", ())
        return Dataset(
            items=items,
            users=tuple(f"u{user:0{width}}" for user in range(self.options.users)),
            sequences=Sequences(values, offsets),
            times=_times(lengths, generator),
            domains=tuple(labels[item] for item in values.tolist()) if labels else (),
            oracle=oracle,
        )

    def _oracle(self, grid: list[list[NDArray[np.int32]]], generator: np.random.Generator) -> MarkovOracle:
        count = self.options.items
        successors = np.empty((count, _SAME_KIND + _NEXT_KIND + 1), dtype=np.int32)
        for topic, members_by_kind in enumerate(grid):
            for kind, members in enumerate(members_by_kind):
                following = members_by_kind[(kind + 1) % len(members_by_kind)]
                for place, item in enumerate(members):
                    same = [members[(place + step) % len(members)] for step in range(1, _SAME_KIND + 1)]
                    near = [following[(place + step) % len(following)] for step in range(_NEXT_KIND)]
                    away = grid[(topic + generator.integers(1, len(grid))) % len(grid)]
                    far = generator.choice(away[generator.integers(len(away))])
                    successors[item] = [*same, *near, far]
        fading = _FADE ** np.arange(successors.shape[1])
        popularity = 1.0 / (1 + generator.permutation(count)) ** self.options.skew
        return MarkovOracle(
            successors=successors,
            weights=np.tile(fading / fading.sum(), (count, 1)),
            popularity=popularity / popularity.sum(),
            noise=self.options.noise,
        )

    def _items(self, grid: list[list[NDArray[np.int32]]]) -> Items:
        count = self.options.items
        columns: dict[str, list[str]] = {"title": [""] * count, "description": [""] * count}
        if self.options.domains == 2:
            columns["domain"] = [""] * count
        for of_topic, members_by_kind in zip(kinds(), grid, strict=True):
            for kind, members in zip(of_topic, members_by_kind, strict=True):
                for number, item in enumerate(members.tolist()):
                    _describe(kind, number, item, columns)
        width = len(str(count - 1))
        return Items(tuple(f"i{item:0{width}}" for item in range(count)), columns)


def _grid(count: int, generator: np.random.Generator) -> list[list[NDArray[np.int32]]]:
    """Items of each kind of each topic, in the order in which they tend to follow each other.

    Indices are shuffled, so that the catalogue's order says nothing about what follows what.
    """
    shape = [len(of_topic) for of_topic in kinds()]
    shuffled = generator.permutation(count).astype(np.int32)
    parts = iter(np.array_split(shuffled, sum(shape)))
    return [[next(parts) for _ in range(size)] for size in shape]


def _describe(kind: Kind, number: int, item: int, columns: dict[str, list[str]]) -> None:
    columns["title"][item] = kind.title(number)
    columns["description"][item] = kind.description(number)
    if "domain" in columns:
        columns["domain"][item] = "outdoors" if kind.topic in _OUTDOORS else "indoors"


def _times(lengths: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Whole seconds, strictly increasing for each user, users starting through one year."""
    starts = generator.integers(_EPOCH, _EPOCH + _YEAR, len(lengths))
    gaps = 1 + np.floor(generator.exponential(3 * _DAY, int(lengths.sum())))
    ends = np.cumsum(lengths)
    total = np.cumsum(gaps)
    before = np.repeat(total[ends - lengths], lengths)
    return np.asarray(total - before + np.repeat(starts, lengths), dtype=np.float64)
