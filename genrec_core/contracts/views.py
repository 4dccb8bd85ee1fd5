"""Views: what each part of the pipeline may see of the interactions.

A split cuts a dataset into three views. A view owns copies of the rows it may show and no reference to
the dataset, so nothing after its cut-off can be reached through it. What is to be predicted leaves a
view in two shapes: `Example` (with the target, for training and for judging) and `Request` (without it,
all that a recommender or baseline ever receives): leaking a target into a prompt is a type error.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import OracleDistribution, Sequences

_FEW = 4096
"""Pairs of items that are compared one by one sooner than sorted."""


@dataclass(frozen=True)
class Request:
    """A user to recommend to.

    Attributes:
        user: user id.
        history: item indices, oldest first, already cut to the protocol's `max_history`.
        time: when the next item was chosen (seconds), NaN when unknown.
        domain: the domain of the next item, empty when there is one domain only.
        attributes: fields of the user (`users.jsonl`); empty when nothing is known.
        message: what the user says or asks for, where there is such a text.
        exclude: items that must not be recommended.
        only: the items that alone may be recommended, less those of `exclude`; None for all. Requests under
            one rule share one set, so that what follows from it is worked out once.
    """

    user: str
    history: tuple[int, ...]
    time: float = float("nan")
    domain: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    message: str = ""
    exclude: tuple[int, ...] = ()
    only: frozenset[int] | None = None

    @property
    def ruled(self) -> bool:
        """Whether some items may not be recommended."""
        return bool(self.exclude) or self.only is not None

    def within(self, items: frozenset[int]) -> Self:
        """The same request with only these items allowed, of those that it allowed before."""
        return replace(self, only=items if self.only is None else _both(items, self.only))

    def allows(self, items: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which of some items may be recommended, bool of their shape.

        >>> Request("u", (), exclude=(3,), only=frozenset({3, 5, 7})).allows(np.array([2, 3, 5]))
        array([False, False,  True])
        """
        allowed = np.ones(len(items), dtype=np.bool_)
        if self.only is not None:
            members = _members(self.only)
            allowed = (items < len(members)) & members[np.minimum(items, len(members) - 1)]
        if self.exclude and len(items) * len(self.exclude) <= _FEW:
            if not set(self.exclude).isdisjoint(items.tolist()):  # most answers hold none of them
                allowed &= (items[:, None] != np.asarray(self.exclude)).all(axis=1)
        elif self.exclude:
            allowed &= ~np.isin(items, self.exclude)
        return allowed


@functools.lru_cache(maxsize=64)
def _both(items: frozenset[int], others: frozenset[int]) -> frozenset[int]:
    """What is in both: one set for all requests under the same two rules."""
    return items & others


@functools.lru_cache(maxsize=32)
def _members(items: frozenset[int]) -> NDArray[np.bool_]:
    """Bool by item index, up to the largest of a set."""
    members = np.zeros(max(items, default=0) + 1, dtype=np.bool_)
    members[list(items)] = True
    return members


@dataclass(frozen=True)
class Example(Request):
    """A request together with the item that was chosen."""

    target: int = -1

    def request(self) -> Request:
        """The example without its target."""
        return Request(**{one.name: getattr(self, one.name) for one in fields(Request)})


@dataclass(frozen=True)
class View:
    """One part of a split: V rows of (history, target), or training sequences.

    In the training view each row is a user's whole visible sequence and `targets` is None: every item
    but the first is a target given the items before it. In a validation or test view a row is what came
    before its one target.

    Attributes:
        name: `train`, `valid` or `test`.
        users: user ids, one a row (users may repeat).
        rows: item indices of each row, oldest first.
        targets: int32 [V], or None in a training view.
        max_history: how many of the newest items before a target may be used.
        times: seconds, beside `rows.values` in a training view, one a row otherwise; None when unknown.
        domains: labels laid out like `times`; empty when there is one domain.
        attributes: user id → fields of that user, where the data has any.
    """

    name: str
    users: tuple[str, ...]
    rows: Sequences
    targets: NDArray[np.int32] | None
    max_history: int
    times: NDArray[np.float64] | None = None
    domains: tuple[str, ...] = ()
    attributes: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """How many examples the view holds."""
        if self.targets is not None:
            return len(self.targets)
        return int(np.maximum(self.rows.lengths - 1, 0).sum())

    def examples(self, newest: int | None = None) -> Iterator[Example]:
        """Every (history, target) of the view, users in row order, oldest target first.

        Args:
            newest: of each row of a training view, at most this many, those with the newest targets.
        """
        for row, user in enumerate(self.users):
            items = self.rows.row(row)
            if self.targets is not None:
                yield self._example(user, items, int(self.targets[row]), row)
                continue
            start = int(self.rows.offsets[row])
            oldest = 1 if newest is None else max(1, len(items) - newest)
            for position in range(oldest, len(items)):
                yield self._example(user, items[:position], int(items[position]), start + position)

    def _example(self, user: str, before: NDArray[np.int32], target: int, place: int) -> Example:
        return Example(
            user=user,
            history=tuple(before[-self.max_history :].tolist()) if self.max_history else (),
            time=float(self.times[place]) if self.times is not None else float("nan"),
            domain=self.domains[place] if self.domains else "",
            attributes=self.attributes.get(user, {}),
            target=target,
        )

    def requests(
        self, *, exclude_viewed: bool = False, domains: Mapping[str, frozenset[int]] | None = None
    ) -> Iterator[Request]:
        """The examples without their targets; see `asked`."""
        for example in self.asked(exclude_viewed=exclude_viewed, domains=domains):
            yield example.request()

    def asked(
        self, *, exclude_viewed: bool = False, domains: Mapping[str, frozenset[int]] | None = None
    ) -> Iterator[Example]:
        """The examples of a validation or test view, with what their answers are limited to.

        Args:
            exclude_viewed: no item of a user's whole visible history is recommended, also of the part before
                the newest `max_history` items.
            domains: domain → its items, where each example may be answered from its own domain alone.
        """
        for row, example in enumerate(self.examples()):
            viewed = self.viewed(row) if exclude_viewed else ()
            only = None if domains is None else domains.get(example.domain, frozenset())
            yield replace(example, exclude=viewed, only=only)

    def viewed(self, row: int) -> tuple[int, ...]:
        """The distinct items of a row's whole visible history."""
        return tuple(np.unique(self.rows.row(row)).tolist())

    def sequences(self) -> Iterator[tuple[str, NDArray[np.int32]]]:
        """(user, item indices) of each row, oldest first, uncut; never contains a valid or test target."""
        for row, user in enumerate(self.users):
            yield user, self.rows.row(row)


@dataclass(frozen=True)
class Views:
    """The three parts of a split."""

    train: View
    valid: View
    test: View
    notes: tuple[str, ...] = ()
    """What the split had to do, with counts (users too short for a test row …)."""
    oracle: OracleDistribution | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Training:
    """All that training code receives: no test rows are in it, so it cannot select on them.

    Attributes:
        train: sequences to learn from.
        valid: rows to select by.
        oracle: the true distribution of the next item where it is known; for oracle baselines only.
    """

    train: View
    valid: View
    oracle: Any = field(default=None, repr=False)
