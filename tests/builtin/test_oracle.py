"""`core/oracle`."""

from __future__ import annotations

import numpy as np
import pytest
from baseline_data import items, requests, training

from genrec_core.builtin.oracle import Oracle
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError


class NextInLine:
    """After item i comes i + 1 with probability 0.7; the rest is shared."""

    def next_item(self, history: np.ndarray) -> np.ndarray:
        probabilities = np.full(4, 0.1)
        probabilities[(history[-1] + 1) % 4] = 0.7
        return probabilities


def test_it_ranks_by_the_oracle_and_ties_by_index():
    view = training([0, 1], oracle=NextInLine())
    first, second = Oracle().rank(items(4), view, requests([0], [1, 2]), 3, Context())
    assert first.items.tolist() == [1, 0, 2]
    assert second.items.tolist() == [3, 0, 1]
    assert first.scores[0] == pytest.approx(0.7)


def test_data_without_a_known_law_has_no_oracle():
    with pytest.raises(GenrecError, match="whose true law is known"):
        list(Oracle().rank(items(4), training([0]), requests([0]), 3, Context()))
