"""Identifier health and storage on cases small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest

from genrec_core import ContractError, Identifiers
from genrec_core.identifiers.health import health
from genrec_core.identifiers.storage import load_identifiers, save_identifiers


def test_collisions_count_every_item_that_shares_its_identifier():
    found = health(Identifiers.of([("a", "x"), ("a", "x"), ("b", "y"), ("b",)]))
    assert (found["distinct"], found["colliding_items"], found["largest_bucket"]) == (3, 2, 2)
    assert found["collision_rate"] == 0.5
    assert found["length"] == {"min": 1, "mean": 1.75, "max": 2}


def test_perplexity_is_the_number_of_codes_of_an_even_spread():
    first, second = health(Identifiers.of([("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")]))["levels"]
    assert first["perplexity"] == pytest.approx(4.0)
    assert (second["codes"], second["perplexity"], second["largest_share"]) == (1, pytest.approx(1.0), 1.0)


def test_stored_identifiers_come_back_whole(tmp_path):
    identifiers = Identifiers.of(
        [("<a_1>", "<b_0>"), ("<a_1>",)],
        new_tokens=("<a_0>", "<a_1>", "<b_0>"),
        separator=" ",
        state={"codebook": np.arange(6, dtype=np.float32).reshape(2, 3)},
        settings={"levels": 2},
        users={"ann": ("<b_0>", "<a_1>")},
    )
    identifiers = replace(identifiers, merged=1)
    save_identifiers(identifiers, tmp_path)
    loaded = load_identifiers(tmp_path)
    assert loaded.digest == identifiers.digest
    assert [loaded.tokens(item) for item in range(2)] == [("<a_1>", "<b_0>"), ("<a_1>",)]
    assert loaded.new_tokens == identifiers.new_tokens
    assert loaded.settings == {"levels": 2}
    assert (loaded.merged, loaded.users) == (1, {"ann": ("<b_0>", "<a_1>")})
    assert loaded.user_text("ann") == "<b_0> <a_1>"
    np.testing.assert_array_equal(loaded.state["codebook"], identifiers.state["codebook"])


def test_users_without_tokens_are_refused():
    with pytest.raises(ContractError, match="1 users got an empty identifier or an empty token"):
        Identifiers.of([("a",)], users={"ann": ("a",), "bob": ()})


def test_a_new_version_has_another_digest():
    old = Identifiers.of([("a",)])
    assert old.digest != Identifiers(old.vocabulary, old.codes, old.offsets, version=2).digest
