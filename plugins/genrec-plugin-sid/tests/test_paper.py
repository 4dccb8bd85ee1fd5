"""The papers' worked examples: quantising by hand (SIDReasoner), paths and suffix tokens (SINGER §2.1)."""

from __future__ import annotations

import numpy as np
from genrec_plugin_sid.linear import Frame, LinearQuantiser
from genrec_plugin_sid.naming import paths_of
from genrec_plugin_sid.residual import encode


def _column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def test_residual_codes_are_those_computed_by_hand():
    codebooks = (_column(0, 10), _column(-1, 1))
    assert encode(_column(9, 11, -1), codebooks).tolist() == [[1, 0], [1, 1], [0, 0]]


def test_codes_stand_for_the_sum_of_their_centroids():
    quantiser = LinearQuantiser(Frame(_column(100)[0]), (_column(0, 10), _column(-1, 1)))
    assert quantiser.decode(np.array([[1, 0], [0, 1]], np.int32)).tolist() == [[109], [101]]


def test_each_level_explains_more_of_what_the_last_one_left(shop, cloud):
    seen = []
    shop.fit(cloud, codes=8, log=lambda event, **values: seen.append(values.get("unexplained")))
    *seen, _ = seen
    assert len(seen) == 3
    assert 1 > seen[0] > seen[1] > seen[2] > 0


def test_every_code_is_that_of_the_nearest_centroid_to_what_is_left(shop, cloud):
    identifiers = shop.fit(cloud, codes=6)
    quantiser = LinearQuantiser.from_state(identifiers.state)
    residuals = quantiser.latents(cloud)
    for level, book in enumerate(quantiser.codebooks):
        nearest = ((residuals[:, None] - book[None]) ** 2).sum(axis=2).argmin(axis=1)
        assert nearest.tolist() == paths_of(identifiers)[:, level].tolist()
        residuals = residuals - book[nearest]


def test_a_codebook_is_the_mean_of_the_residuals_that_chose_it(shop, cloud):
    identifiers = shop.fit(cloud, codes=5, iterations=500, tolerance=0)
    centred = cloud - identifiers.state["mean"]
    first = paths_of(identifiers)[:, 0]
    for code, centroid in enumerate(identifiers.state["codebook.0"]):
        np.testing.assert_allclose(centroid, centred[first == code].mean(axis=0), atol=1e-4)


def test_items_that_share_a_path_get_a_suffix_on_every_member_in_catalogue_order(shop):
    points = [[0, 0], [9, 9], [0, 0], [0, 0], [9, 0]]
    identifiers = shop.fit(np.array(points), levels=1, codes=3)
    shared = [identifiers.tokens(item) for item in (0, 2, 3)]
    assert [tokens[-1] for tokens in shared] == ["<b_0>", "<b_1>", "<b_2>"]
    assert len({tokens[0] for tokens in shared}) == 1
    assert identifiers.lengths.tolist() == [2, 1, 2, 2, 1]


def test_after_suffixes_every_identifier_is_unique(shop, cloud):
    identifiers = shop.fit(cloud, levels=2, codes=3)
    assert len(identifiers.distinct()) == 200
    assert set(identifiers.lengths.tolist()) <= {2, 3}
