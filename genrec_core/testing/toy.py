"""Toy data: the small world that checks run in. Everything is made from fixed seeds, so it never changes.

Twenty-four items with a title (one of them not ASCII), a description and a list of tags; twenty users who
each took seven different items; identifiers of three code tokens. No user repeats an item, so a position in a
history is unambiguous, which is what makes leaks visible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.dataset import Dataset, EvaluationRows, Sequences
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Training, View, Views
from genrec_core.data.markov import MarkovOracle

COLOURS = ("red", "deep blue", "pale green", "black", "white", "grey")
THINGS = ("tent", "lamp", "théière", "rope")
USERS, _LENGTH, MAX_HISTORY = 20, 7, 4


def toy_items() -> Items:
    """Twenty-four items: every colour of every thing."""
    pairs = [(colour, thing) for thing in THINGS for colour in COLOURS]
    return Items(
        tuple(f"i{number}" for number in range(len(pairs))),
        {
            "title": [f"{colour} {thing}".capitalize() for colour, thing in pairs],
            "description": [
                f"A {thing} that is {colour}, number {n}." for n, (colour, thing) in enumerate(pairs)
            ],
            "tags": [[thing, colour] for colour, thing in pairs],
        },
    )


def toy_dataset() -> Dataset:
    """Users' sequences with times, two domains, and the last two items of each user as explicit rows."""
    items, histories = toy_items(), _histories()
    users = tuple(f"u{number}" for number in range(USERS))
    times = np.add.outer(np.arange(USERS), 1000.0 * np.arange(_LENGTH)).reshape(-1)
    return Dataset(
        items=items,
        users=users,
        sequences=Sequences.of(histories),
        times=times.astype(np.float64),
        domains=tuple("odd" if item % 2 else "even" for item in histories.reshape(-1)),
        valid=EvaluationRows(users, Sequences.of(histories[:, :-2]), histories[:, -2].copy()),
        test=EvaluationRows(users, Sequences.of(histories[:, :-1]), histories[:, -1].copy()),
        oracle=toy_oracle(),
    )


def toy_views(max_history: int = MAX_HISTORY) -> Views:
    """The last item of each user is the test target, the one before it the validation target."""
    histories = _histories()
    users = tuple(f"u{number}" for number in range(USERS))

    def held_out(name: str, last: int) -> View:
        return View(name, users, Sequences.of(histories[:, :last]), histories[:, last].copy(), max_history)

    return Views(
        train=View("train", users, Sequences.of(histories[:, :-2]), None, max_history),
        valid=held_out("valid", -2),
        test=held_out("test", -1),
    )


def toy_training() -> Training:
    """The toy views as training code receives them."""
    views = toy_views()
    return Training(views.train, views.valid, toy_oracle())


def toy_identifiers(*, mirrored: bool = False) -> Identifiers:
    """Three code tokens an item, the last two items sharing theirs; `mirrored` names items backwards."""
    names = [(f"<a_{n // 6}>", f"<b_{n % 6}>", f"<c_{n % 5}>") for n in range(23)]
    names.append(names[-1])
    new = [f"<{level}_{code}>" for level in "abc" for code in range(6)]
    return Identifiers.of(reversed(names) if mirrored else names, new_tokens=new)


def toy_catalogue(*, mirrored: bool = False) -> Catalogue:
    """Toy items with toy identifiers and their counts in the training view."""
    items = toy_items()
    counts = np.bincount(toy_views().train.rows.values, minlength=len(items))
    return Catalogue(items, toy_identifiers(mirrored=mirrored), counts.astype(np.int64))


def toy_oracle() -> MarkovOracle:
    """What the walks are drawn from: one step along the catalogue with probability 3/4, two with 1/4."""
    items = np.arange(len(THINGS) * len(COLOURS), dtype=np.int32)
    return MarkovOracle(
        successors=np.stack([items + 1, items + 2], axis=1) % len(items),
        weights=np.tile([0.75, 0.25], (len(items), 1)),
        popularity=np.full(len(items), 1 / len(items)),
        noise=0.0,
    )


def _histories() -> NDArray[np.int32]:
    """int32 [users, length]: walks along the catalogue, so that there is something to learn."""
    generator = np.random.default_rng(20)
    starts = generator.integers(24, size=(USERS, 1))
    steps = generator.choice([1, 1, 1, 2], size=(USERS, _LENGTH)).cumsum(axis=1)
    walks: NDArray[np.int32] = ((starts + steps) % 24).astype(np.int32)
    return walks
