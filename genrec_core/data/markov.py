"""Transition probabilities of made-up data, small enough to be known exactly.

The next item depends on the last one alone: with probability 1 − noise it is one of that item's
successors, each with its weight; otherwise it is drawn by popularity. Being first-order, they are exact
however short the history is cut, so an oracle can stand in every report.

    successors[0] = (3, 5), weights[0] = (.75, .25), noise = .2
    P(5 | …, 0) = .8 × .25 + .2 × popularity[5]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.dataset import OracleDistribution
from genrec_core.contracts.errors import ContractError
from genrec_core.store.content import load_arrays, save_arrays


@dataclass(frozen=True)
class MarkovOracle:
    """First-order transition probabilities over N items.

    Attributes:
        successors: int32 [N, S], distinct within a row.
        weights: float64 [N, S], each row sums to one.
        popularity: float64 [N], sums to one; also the distribution of a first item.
        noise: the probability that the last item is ignored.
    """

    successors: NDArray[np.int32]
    weights: NDArray[np.float64]
    popularity: NDArray[np.float64]
    noise: float

    def next_item(self, history: NDArray[np.int32]) -> NDArray[np.float64]:
        """Probability of every item given the items so far, float64 [N], sums to one."""
        if len(history) == 0:
            return self.popularity.copy()
        last = int(history[-1])
        probabilities = self.noise * self.popularity
        probabilities[self.successors[last]] += (1 - self.noise) * self.weights[last]
        return probabilities

    def walk(
        self, lengths: NDArray[np.int64], generator: np.random.Generator
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Sequences of the given lengths, drawn at random: values after one another, and offsets."""
        users, steps = len(lengths), int(lengths.max())
        popular, successive = np.cumsum(self.popularity), np.cumsum(self.weights, axis=1)
        path = np.empty((users, steps), dtype=np.int32)
        for step in range(steps):
            draw = generator.random((3, users))
            free = np.minimum(np.searchsorted(popular, draw[0]), len(popular) - 1).astype(np.int32)
            if step == 0:
                path[:, 0] = free
                continue
            last = path[:, step - 1]
            choice = (draw[1][:, None] > successive[last]).sum(axis=1)
            follow = self.successors[last, np.minimum(choice, successive.shape[1] - 1)]
            path[:, step] = np.where(draw[2] < self.noise, free, follow)
        offsets = np.zeros(users + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return path[np.arange(steps) < lengths[:, None]], offsets


def oracle_arrays(oracle: OracleDistribution) -> dict[str, NDArray[Any]]:
    """A distribution as named arrays; `oracle_of` makes it again.

    Raises:
        ContractError: it is of another kind; only this one has a format, because files hold data, never code.
    """
    if not isinstance(oracle, MarkovOracle):
        raise ContractError(
            f"an oracle of type `{type(oracle).__name__}` cannot be kept on disk",
            hint="build the source's oracle as `genrec_core.data.markov.MarkovOracle`",
        )
    return {
        "successors": oracle.successors,
        "weights": oracle.weights,
        "popularity": oracle.popularity,
        "noise": np.asarray([oracle.noise], dtype=np.float64),
    }


def oracle_of(arrays: Mapping[str, NDArray[Any]]) -> MarkovOracle:
    """The distribution that `oracle_arrays` took apart."""
    return MarkovOracle(
        arrays["successors"], arrays["weights"], arrays["popularity"], noise=float(arrays["noise"][0])
    )


def save_oracle(oracle: OracleDistribution, path: Path) -> None:
    """Write a distribution to a file.

    Raises:
        ContractError: it is of another kind than `MarkovOracle`.
    """
    arrays = oracle_arrays(oracle)
    noise = float(arrays.pop("noise")[0])
    save_arrays(path, arrays, {"noise": noise})


def load_oracle(path: Path) -> MarkovOracle:
    """The distribution that `save_oracle` wrote.

    Raises:
        DataError: the file is damaged.
    """
    arrays, settings = load_arrays(path)
    return MarkovOracle(**arrays, noise=settings["noise"])
