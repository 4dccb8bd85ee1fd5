"""What the doctor learns from semantic IDs: the error of their codes, which levels are codes, which ranks."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.rq_kmeans import RQKMeans

from genrec_core import Context, Items, Sequences, View
from genrec_core.builtin.ngrams import NGrams
from genrec_core.identifiers.diagnosis.diagnosis import IdentifierInputs, examine


@pytest.fixture
def examined(shop):
    def examine_fitted(vectors, **options):
        told = []
        ids = shop.fit(vectors, log=lambda event, **values: told.append((event, values)), **options)
        items, tokenizer = shop.items(vectors), shop.tokenizer(**options)
        inputs = IdentifierInputs(
            ids, items, lambda: vectors, "test", lambda: tokenizer.reconstruct(ids, items, Context())
        )
        lost = [values["unexplained"] for event, values in told if event == "level"]
        return examine(inputs), lost

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


def test_items_that_came_later_are_embedded_as_the_codebooks_were_made():
    texts = [
        f"{colour} {thing} {n}" for n in range(6) for colour in ("red", "blue") for thing in ("tent", "lamp")
    ]
    items = Items(tuple(f"i{n}" for n in range(24)), {"title": texts})
    tokenizer = RQKMeans(encoder=NGrams(dims=8), levels=2, codes=4)
    nobody = View("train", (), Sequences.of([]), None, 5)
    old = tokenizer.fit(items.subset(range(18)), nobody, Context())
    grown = tokenizer.extend(old, items.subset(range(18, 24)), Context())
    before = tokenizer.reconstruct(old, items.subset(range(18)), Context())
    after = tokenizer.reconstruct(grown, items, Context())
    np.testing.assert_allclose(after.seen[:18], before.seen, atol=1e-6)
    np.testing.assert_allclose(after.decoded[:18], before.decoded, atol=1e-6)


def test_codes_of_clusters_find_neighbours_far_better_than_chance(examined, cloud):
    found, _ = examined(cloud, levels=2, codes=20)
    assert found.neighbours.recall > 10 * found.neighbours.chance
