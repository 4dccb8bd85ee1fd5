"""GRLM's published terms on Amazon Beauty: the collisions that the paper does not mention (sheet 1.4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genrec_core import Context, Identifiers
from genrec_core.builtin.folder import Folder
from genrec_core.identifiers.health import health

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "amazon-beauty"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the project's shared data sets")


@pytest.fixture(scope="module")
def beauty():
    return Folder(path=SHARED).load(Context())


@pytest.fixture(scope="module")
def published(beauty):
    """Items that have published terms, and these."""
    terms = beauty.items.fields["terms"]
    named = [item for item in range(len(beauty.items)) if terms[item]]
    return named, Identifiers.of([terms[item] for item in named], separator=", ")


def test_all_but_thirteen_items_have_five_terms(beauty, published):
    named, identifiers = published
    assert (len(beauty.items), len(named)) == (12_101, 12_088)
    assert set(identifiers.lengths.tolist()) == {5}
    assert len(identifiers.vocabulary) == 7_421


def test_two_percent_of_items_have_no_identifier_of_their_own(published):
    _, identifiers = published
    found = health(identifiers)
    surplus = len(identifiers) - len(identifiers.distinct())
    assert (surplus, round(100 * surplus / len(identifiers), 1)) == (244, 2.0)
    assert found["collision_rate"] == pytest.approx(441 / 12_088)
    assert max(len(identifiers.items_of(tokens)) for tokens in identifiers.distinct()) == 13


def test_four_percent_of_test_targets_share_their_identifier(beauty, published):
    named, identifiers = published
    sizes = np.zeros(len(beauty.items), dtype=int)
    sizes[named] = [len(identifiers.items_of(identifiers.tokens(n))) for n in range(len(named))]
    last = beauty.sequences.values[beauty.sequences.offsets[1:] - 1]
    assert len(last) == 22_363
    assert (sizes[last] > 1).mean() == pytest.approx(0.0392, abs=5e-5)
