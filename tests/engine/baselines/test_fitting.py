"""Where SASRec's item embeddings start."""

from __future__ import annotations

import numpy as np

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.views import Training, View
from genrec_core.engine.baselines.fitting import _history_before, fit_sasrec
from genrec_core.engine.baselines.settings import SASRecSettings


def test_given_embeddings_are_where_training_starts_and_zero_rows_start_at_random():
    train = View("train", ("u", "v"), Sequences.of([[0, 1, 2], [2, 1, 0]]), None, 5)
    nobody = View("valid", (), Sequences.of([]), np.zeros(0, dtype=np.int32), 5)
    start = np.random.default_rng(0).standard_normal((5, 8), np.float32)
    start[3] = 0
    hardly = SASRecSettings(factors=8, epochs=1, learning_rate=1e-9)
    scorer = fit_sasrec(5, Training(train, nobody), hardly, Context(), start)
    found = scorer.network.items.weight.detach().numpy()
    np.testing.assert_allclose(found[[0, 1, 2, 4]], start[[0, 1, 2, 4]], atol=1e-6)
    assert np.abs(found[3]).min() > 0


def test_a_target_is_told_from_what_came_before_it_and_never_from_itself():
    allowed = _history_before(np.array([[3, 5, 3, 7]]))
    assert allowed[0].tolist() == [[True, False, False], [False, True, False], [True, True, True]]
