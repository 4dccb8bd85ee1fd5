"""Choosing weights by validation rows: recall and NDCG at 10, the best weights kept, patience counted.

The rows of a validation view are the only ones looked at; test rows never reach this code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec_core.contracts.views import View
from genrec_core.engine.baselines.histories import Row
from genrec_core.engine.baselines.scoring import Scorer

K = 10


@dataclass(frozen=True)
class Validation:
    """A validation view, ready to be looked at many times.

    Attributes:
        view: its rows with their targets.
        unseen: whether items of a row's whole visible history are taken out of the ranking; a target among
            them is then never found.
    """

    view: View
    unseen: bool = False

    @cached_property
    def _histories(self) -> list[Row]:
        return [np.asarray(request.history, dtype=np.int32) for request in self.view.requests()]

    def ranks(self, scorer: Scorer) -> NDArray[np.int64]:
        """How many items stand before each row's target, int64 [V]; of equal scores, the lower index does."""
        ranks = [np.zeros(0, dtype=np.int64)]
        done = 0
        for scores in scorer.scores(self._histories):
            if self.unseen:
                for row in range(len(scores)):
                    scores[row, self.view.rows.row(done + row)] = -np.inf
            ranks.append(_before(scores, self._targets[done : done + len(scores)]))
            done += len(scores)
        return np.concatenate(ranks)

    @cached_property
    def _targets(self) -> NDArray[np.int32]:
        return np.asarray(self.view.targets, dtype=np.int32)


def _before(scores: NDArray[np.float32], targets: NDArray[np.int32]) -> NDArray[np.int64]:
    own = scores[np.arange(len(scores)), targets][:, None]
    earlier = np.arange(scores.shape[1]) < targets[:, None]
    return np.asarray(((scores > own) | ((scores == own) & earlier)).sum(axis=1))


def figures(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Recall and NDCG at 10 of one target a row."""
    found = ranks < K
    gains = np.where(found, 1 / np.log2(ranks + 2.0), 0.0)
    return {f"recall@{K}": float(found.mean()), f"ndcg@{K}": float(gains.mean())}


@dataclass
class BestWeights:
    """The best weights so far, and how long nothing was better.

    Attributes:
        network: whose weights are kept.
        patience: looks without a better figure before `stopped`; None never stops.
    """

    network: nn.Module
    patience: int | None
    figure: float = -math.inf
    waited: int = 0
    _weights: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def look(self, figure: float) -> None:
        """Keep the present weights if the figure is the best so far."""
        if figure > self.figure:
            self.figure, self.waited = figure, 0
            self._weights = {name: value.clone() for name, value in self.network.state_dict().items()}
        else:
            self.waited += 1

    @property
    def stopped(self) -> bool:
        """Whether patience ran out."""
        return self.patience is not None and self.waited >= self.patience

    def restore(self) -> None:
        """Put the best weights back; leaves the present ones if there never was a look."""
        if self._weights:
            self.network.load_state_dict(self._weights)
