"""A tiny policy over a catalogue whose identifiers differ in length."""

from __future__ import annotations

import pytest

from genrec_core import Catalogue, Context, Identifiers, Items

NAMES = (
    ("<a_1>", "<b_2>", "<c_3>"),
    ("<a_1>", "<b_2>", "<c_4>"),
    ("<a_1>", "<b_0>", "<c_3>", "<d_0>"),
    ("<a_1>", "<b_0>", "<c_3>", "<d_1>"),
    ("<a_0>", "<b_2>", "<c_0>"),
    ("<a_0>", "<b_1>", "<c_1>"),
)
TOKENS = [f"<{level}_{code}>" for level in "abcd" for code in range(5)]


@pytest.fixture(scope="session")
def catalogue():
    """Six items: two under one two-token prefix, two that need a suffix token."""
    titles = ["red tent", "blue tent", "tin lamp", "oil lamp", "rope", "kettle"]
    fields = {"title": titles, "description": [f"A {title}." for title in titles]}
    return Catalogue(Items(tuple("abcdef"), fields), Identifiers.of(NAMES, new_tokens=TOKENS))


@pytest.fixture
def model(catalogue):
    """A fresh tiny model that knows the catalogue's tokens."""
    from genrec_core.builtin.tiny_backbones import TinyCausal

    shape = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 300}
    return TinyCausal(**shape, device="cpu").build(catalogue, Context(seed=3))


@pytest.fixture
def policy(model, catalogue):
    """That model as it is rolled out."""
    from genrec_core.engine.rl.policy import Policy

    return Policy(model, catalogue, "full", 1.0, 4096)
