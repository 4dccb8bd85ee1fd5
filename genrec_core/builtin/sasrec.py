"""`core/sasrec`: self-attentive sequential recommendation, the baseline that most newer models must beat.

A small causal transformer over item embeddings predicts the item after each position of a history. With the
paper's loss (`loss: bce`) it is a weak opponent; with a softmax over drawn items, which is the default
here, it stands beside far larger models. What was measured is in docs/baselines.md.

    evaluate:
      baselines: [{use: core/sasrec, factors: 128, loss: sampled-softmax}]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.baseline import Baseline, BaselineSession, Fitted, widened
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training
from genrec_core.engine.baselines.settings import SASRecSettings

if TYPE_CHECKING:
    from genrec_core.engine.baselines.scoring import HistoryScorer


_NEAR = 20
"""Largest distance of two items that counts for `start: co-occurrence`."""
_START = 2
"""Purpose of the generator behind that start; fitting has 0 and 1."""


class SASRec(Baseline):
    """SASRec (Kang and McAuley 2018), fitted anew for each data set and chosen by validation rows."""

    version = "1"

    selects = True
    needs = ("torch",)

    class Options(SASRecSettings, Baseline.Options):
        """Shape of the network, what it learns from, how long and how fast."""

    options: Options

    def fit(self, items: Items, training: Training, context: Context) -> Fitted:
        """The network's weights by name, and `counts` int64 [N], which answer empty histories.

        Raises:
            DataError: no training row has two items.
            StageError: training diverged.
        """
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_core.engine.baselines.cooccurrence import cooccurrence_vectors
        from genrec_core.engine.baselines.fitting import fit_sasrec

        start = None
        if self.options.start == "co-occurrence":
            noise = context.generator(_START).standard_normal(len(items))
            start = cooccurrence_vectors(training.train, len(items), self.options.factors, _NEAR, noise)
            lengths = np.linalg.norm(start, axis=1, keepdims=True)
            start /= np.where(lengths > 0, lengths, 1)
            start = np.pad(start, ((0, 0), (0, self.options.factors - start.shape[1])))
        return fit_sasrec(len(items), training, self.options, context, start).arrays()

    def open(self, state: Fitted, items: Items, context: Context) -> BaselineSession:
        """A session whose scores are the network's logits; new items get the lowest of each row."""
        from genrec_core.engine.baselines.scoring import HistoryScorer

        return _SASRecSession(HistoryScorer.of(state, self.options), len(items))


class _SASRecSession(BaselineSession):
    def __init__(self, scorer: HistoryScorer, items: int) -> None:
        super().__init__(items)
        self._scorer = scorer

    def scores(self, requests: Sequence[Request]) -> NDArray[np.float32]:
        """What the network expects after each history; popularity after an empty one."""
        histories = [np.asarray(request.history, dtype=np.int32) for request in requests]
        none = np.zeros((0, len(self._scorer.popularity)), dtype=np.float32)
        return widened(np.concatenate([none, *self._scorer.scores(histories)]), self.items)
