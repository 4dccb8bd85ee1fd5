"""`core/sasrec`: self-attentive sequential recommendation, the baseline that most newer models must beat.

A small causal transformer over item embeddings predicts the item after each position of a history. With the
paper's loss (`loss: bce`) it is a weak opponent; with a softmax over drawn items, which is the default
here, it stands beside far larger models. What was measured is in docs/baselines.md.

    evaluate:
      baselines: [{use: core/sasrec, factors: 128, loss: sampled-softmax}]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training
from genrec_core.engine.baselines.settings import SASRecSettings
from genrec_core.evaluation.rankings import best, direct


class SASRec(Baseline):
    """SASRec (Kang and McAuley 2018), fitted anew for each data set and chosen by validation rows."""

    version = "1"

    class Options(SASRecSettings, Baseline.Options):
        """Shape of the network, what it learns from, how long and how fast."""

    options: Options

    def rank(
        self, items: Items, training: Training, requests: Sequence[Request], k: int, context: Context
    ) -> Iterator[Ranked]:
        """The best k items for each request, equal scores in index order; popularity for empty histories.

        Raises:
            DataError: no training row has two items.
            StageError: training diverged.
        """
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_core.engine.baselines.fitting import fit

        scorer = fit(len(items), training, self.options, context)
        histories = [np.asarray(request.history, dtype=np.int32) for request in requests]
        with context.progress("sasrec: ranking", len(histories)) as advance:
            for scores in scorer.scores(histories):
                for row in scores:
                    chosen = best(row, k)
                    yield direct(chosen, row[chosen])
                advance(len(scores))
