"""`core/oracle`."""

from __future__ import annotations

import numpy as np
import pytest
from baseline_data import items, ranked, requests, training

from genrec_core.builtin.oracle import Oracle
from genrec_core.contracts.errors import GenrecError
from genrec_core.data.markov import MarkovOracle


def next_in_line() -> MarkovOracle:
    """After item i comes i + 1 with probability 0.7; the rest is shared."""
    successors = (np.arange(4, dtype=np.int32)[:, None] + 1) % 4
    return MarkovOracle(successors, np.ones((4, 1)), np.full(4, 0.25), noise=0.4)


def test_it_ranks_by_the_oracle_and_ties_by_index():
    view = training([0, 1], oracle=next_in_line())
    first, second = ranked(Oracle(), items(4), view, requests([0], [1, 2]), 3)
    assert first.items.tolist() == [1, 0, 2]
    assert second.items.tolist() == [3, 0, 1]
    assert first.scores[0] == pytest.approx(0.7)


def test_data_without_a_known_law_has_no_oracle():
    with pytest.raises(GenrecError, match="whose true distribution is known"):
        ranked(Oracle(), items(4), training([0]), requests([0]), 3)
