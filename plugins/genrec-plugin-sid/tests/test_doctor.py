"""What the doctor learns from semantic IDs: the error of their codes, which levels are codes, which ranks."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core import Context
from genrec_core.identifiers.diagnosis.diagnosis import Patient, examine


@pytest.fixture
def examined(shop):
    def examine_fitted(vectors, **options):
        told = []
        ids = shop.fit(vectors, log=lambda event, **values: told.append((event, values)), **options)
        items, tokenizer = shop.items(vectors), shop.tokenizer(**options)
        patient = Patient(
            ids, items, lambda: vectors, "test", lambda: tokenizer.reconstruct(ids, items, Context())
        )
        lost = [values["unexplained"] for event, values in told if event == "level"]
        return examine(patient), lost

    return examine_fitted


def test_the_variance_lost_is_what_the_fit_left_after_its_last_level(examined, cloud):
    found, lost = examined(cloud, levels=2, codes=8)
    assert found.reconstruction.unexplained == pytest.approx(lost[-1], rel=1e-4)
    assert 0 < found.reconstruction.unexplained < 1


def test_levels_know_their_code_books_and_ranks_are_told_from_codes(examined, cloud):
    twins = np.concatenate([cloud, cloud[:30]])
    found, _ = examined(twins, levels=3, codes=(30, 20, 20))
    assert [level.possible for level in found.levels[:3]] == [30, 20, 20]
    assert [level.ranks for level in found.levels] == [False, False, False, True]
    assert found.health["collision_rate"] == 0
    assert found.prefixes[2].shared > 0


def test_codes_of_clusters_find_neighbours_far_better_than_chance(examined, cloud):
    found, _ = examined(cloud, levels=2, codes=20)
    assert found.neighbours.recall > 10 * found.neighbours.chance
