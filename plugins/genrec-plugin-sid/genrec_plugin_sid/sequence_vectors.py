"""Sequence vectors: what a sequential recommender makes of an item, to be quantised.

Co-occurrence knows which items stand together, not which follows which. SASRec learns that from the same
sequences; its item embeddings, started from the co-occurrence vectors, move to where items are predicted
alike. LETTER aligns its codes with embeddings of a trained recommender; here they are what is quantised.
The start is worth most of the epochs: on Amazon Beauty two epochs from there recommend as well as twenty
from random embeddings.

There are no validation rows here, because a tokenizer sees none, so the epochs are the caller's to choose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec_core import Context, Sequences, Training, View
from genrec_core.engine import SASRecSettings, fit_sasrec
from genrec_plugin_sid.unit import unit_rows


def sequence_vectors(
    start: NDArray[np.float32], train: View, epochs: int, context: Context
) -> NDArray[np.float32]:
    """Item embeddings of length one, float32 [N, d], after so many epochs over the training sequences.

    Args:
        start: float32 [N, d], embeddings to start from; items whose row is zero start at random.
        train: the training view.
        epochs: passes over it.
        context: seed, progress, and the log that gets an `epoch` event for each.

    Raises:
        DataError: no training row has two items.
    """
    width = start.shape[1]
    settings = SASRecSettings(factors=width, heads=1 if width % 2 else 2, epochs=epochs, patience=None)
    unseen = View("valid", (), Sequences.of([]), np.zeros(0, dtype=np.int32), train.max_history)
    scorer = fit_sasrec(len(start), Training(train, unseen), settings, context, start)
    return unit_rows(scorer.network.items.weight.detach().cpu().numpy())
