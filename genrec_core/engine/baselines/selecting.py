"""Validation rows of a baseline: where each target stands among the scores of all items.

The rows of a validation view are the only ones looked at; test rows never reach this code.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.views import View
from genrec_core.engine.baselines.histories import ItemIds
from genrec_core.engine.baselines.scoring import HistoryScorer


@dataclass(frozen=True)
class HistoryValidation:
    """A validation view, ready to be looked at many times.

    Attributes:
        view: its rows with their targets.
        unseen: whether items of a row's whole visible history are taken out of the ranking; a target among
            them is then never found.
    """

    view: View
    unseen: bool = False

    @cached_property
    def _histories(self) -> list[ItemIds]:
        return [np.asarray(request.history, dtype=np.int32) for request in self.view.requests()]

    def places(self, scorer: HistoryScorer) -> list[int]:
        """How many items stand before each row's target; of equal scores, the lower index does."""
        places: list[int] = []
        done = 0
        for scores in scorer.scores(self._histories):
            if self.unseen:
                for row in range(len(scores)):
                    scores[row, self.view.rows.row(done + row)] = -np.inf
            places += _before(scores, self._targets[done : done + len(scores)]).tolist()
            done += len(scores)
        return places

    @cached_property
    def _targets(self) -> NDArray[np.int32]:
        return np.asarray(self.view.targets, dtype=np.int32)


def _before(scores: NDArray[np.float32], targets: NDArray[np.int32]) -> NDArray[np.int64]:
    own = scores[np.arange(len(scores)), targets][:, None]
    earlier = np.arange(scores.shape[1]) < targets[:, None]
    return np.asarray(((scores > own) | ((scores == own) & earlier)).sum(axis=1))
