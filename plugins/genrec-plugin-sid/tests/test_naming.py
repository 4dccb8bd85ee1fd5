"""Naming: tokens of codes, and templates that cannot tell codes apart."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.naming import Naming, check_template

PATHS = np.array([[12, 3, -1], [12, 3, 0]], dtype=np.int32)


def test_codes_are_written_with_the_letter_of_their_level():
    naming = Naming((16, 4), 2, "<{level}_{code}>")
    assert list(naming.write(PATHS)) == [("<a_12>", "<b_3>"), ("<a_12>", "<b_3>", "<c_0>")]


def test_every_possible_token_is_declared_once():
    tokens = Naming((2, 3), 1, "<{level}_{code}>", "<|", "|>").all_tokens()
    assert tokens == ("<|", "|>", "<a_0>", "<a_1>", "<b_0>", "<b_1>", "<b_2>", "<c_0>")


def test_boundary_tokens_stand_around_every_identifier():
    naming = Naming((16, 4), 2, "s{level}{code:03}", "<begin>", "<end>")
    assert next(naming.write(PATHS)) == ("<begin>", "sa012", "sb003", "<end>")


def test_settings_bring_the_naming_back():
    naming = Naming((16, 4), 2, "<{level}_{code}>", "<begin>")
    assert Naming.from_settings(naming.settings()) == naming


@pytest.mark.parametrize(
    "template",
    ["<{code}>", "<{level}>", "{level}_{code}_{rank}", "{level} {code}", "{level:.0}{code}", "{", "{}{}"],
)
def test_a_template_that_cannot_tell_codes_apart_is_refused(template):
    with pytest.raises(ValueError, match=r".+"):
        check_template(template)


def test_tokens_mean_the_entries_of_their_codebooks_at_one_scale_a_level():
    naming = Naming((2, 2), 1, "<{level}_{code}>", begin="<|")
    books = (np.array([[3.0, 0], [0, 4]], dtype=np.float32), np.array([[0.1, 0], [0, 0.1]], dtype=np.float32))
    vectors = naming.vectors(books)
    assert len(vectors) == len(naming.all_tokens())
    assert not vectors[[0, -1]].any()
    np.testing.assert_allclose(vectors[1:3], books[0] / np.sqrt(12.5), rtol=1e-6)
    np.testing.assert_allclose(vectors[3:5], books[1] / 0.1, rtol=1e-6)
