"""Scoring histories: states for many at once, then every item for a few at a time.

A history without items has no state; it gets the items' popularity as scores, so that every request has
a full ranking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.engine.baselines.histories import ItemIds, history_matrix
from genrec_core.engine.baselines.sasrec_network import SASRecNetwork
from genrec_core.engine.baselines.settings import SASRecSettings
from genrec_core.engine.batches import by_rows

_POOL = 16
"""Chunks whose histories are sorted by length together, so that little is padded."""


@dataclass(frozen=True)
class HistoryScorer:
    """Every item's score after a history.

    Attributes:
        network: the network to ask; `scores` puts it into evaluation mode.
        popularity: int64 [N], how often each item occurs in the training rows.
        length: how many of a history's newest items are read.
        chunk: histories scored at a time.
    """

    network: SASRecNetwork
    popularity: NDArray[np.int64]
    length: int
    chunk: int

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights under `network.` and the popularity, `counts`; `of` makes the scorer again."""
        weights = self.network.state_dict().items()
        named = {f"network.{name}": value.detach().cpu().numpy() for name, value in weights}
        return {**named, "counts": self.popularity}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], settings: SASRecSettings) -> HistoryScorer:
        """The scorer that `arrays` took apart."""
        weights = {
            name.removeprefix("network."): torch.from_numpy(array.copy())
            for name, array in arrays.items()
            if name.startswith("network.")
        }
        length = len(weights["places.weight"])
        with torch.random.fork_rng([]):  # its first weights are drawn, then replaced
            network = SASRecNetwork(len(arrays["counts"]), length, settings)
        network.load_state_dict(weights)
        network.to(device_of(settings.device))
        return cls(network, arrays["counts"], length, settings.chunk)

    def scores(self, histories: Sequence[ItemIds]) -> Iterator[NDArray[np.float32]]:
        """Scores float32 [at most `chunk`, N] of all histories, in their order."""
        self.network.eval()
        for start in range(0, len(histories), self.chunk * _POOL):
            pool = histories[start : start + self.chunk * _POOL]
            states, table = self._states(pool), self._table()
            for first in range(0, len(pool), self.chunk):
                some = slice(first, first + self.chunk)
                scores = (states[some] @ table).cpu().numpy()
                scores[[not len(history) for history in pool[some]]] = self.popularity
                yield scores

    @torch.inference_mode()
    def _states(self, histories: Sequence[ItemIds]) -> Tensor:
        """The state after each history's newest item, float32 [histories, d]; zeros for empty ones."""
        table = self.network.items.weight
        states = torch.zeros(len(histories), table.shape[1], device=table.device)
        sizes = np.array([len(history) for history in histories])
        for places in by_rows(np.flatnonzero(sizes), sizes, self.chunk):
            matrix, lengths = history_matrix([histories[place][-self.length :] for place in places])
            ids, ends = torch.from_numpy(matrix).to(table.device), torch.from_numpy(lengths).to(table.device)
            every = self.network(self.network.items(ids), ends)
            states[torch.from_numpy(places)] = every[torch.arange(len(places)), ends - 1]
        return states

    @torch.inference_mode()
    def _table(self) -> Tensor:
        return self.network.outputs(self.network.answers.weight).T.contiguous()


def device_of(name: str) -> torch.device:
    """The device of a `device` option; `auto` is a GPU when there is one."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
