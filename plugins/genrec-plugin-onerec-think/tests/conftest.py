"""A catalogue with itemic identifiers, and a tiny model that knows its tokens."""

from __future__ import annotations

import pytest

from genrec_core import Catalogue, Context, Identifiers, Items, View
from genrec_core.contracts.dataset import Sequences

BEGIN, END = "<|item_begin|>", "<|item_end|>"
PATHS = ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1), (2, 0, 1))
TITLES = ("Red tent", "Blue tent", "Rope", "Tin lamp", "Oil lamp", "Kettle")
KINDS = (["Shelter", "Red"], ["Shelter"], ["Climbing", "Shelter"], ["Light"], ["Light"], [])


def itemic(path, begin=BEGIN, end=END):
    codes = (f"<item_{level}_{code}>" for level, code in zip("abc", path, strict=True))
    return (begin, *codes, end)


def itemic_identifiers(paths=PATHS):
    """Identifiers as the toolkit's tokenizers write them: three levels between boundary tokens."""
    new = [BEGIN, END, *(f"<item_{level}_{code}>" for level in "abc" for code in range(3))]
    naming = {
        "sizes": [3, 3, 3],
        "ranks": 0,
        "template": "<item_{level}_{code}>",
        "begin": BEGIN,
        "end": END,
    }
    return Identifiers.of([itemic(path) for path in paths], new_tokens=new, settings={"naming": naming})


@pytest.fixture(name="itemic", scope="session")
def itemic_fixture():
    """Codes → the tokens of an identifier."""
    return itemic


@pytest.fixture(name="itemic_identifiers", scope="session")
def itemic_identifiers_fixture():
    """Codes of some items → their identifiers."""
    return itemic_identifiers


@pytest.fixture(scope="session")
def catalogue():
    """Six items; the kettle is of no kind."""
    return Catalogue(
        Items(tuple("trplok"), {"title": list(TITLES), "kinds": list(KINDS)}), itemic_identifiers()
    )


@pytest.fixture
def build(catalogue):
    """Makes tiny models of the catalogue."""
    from genrec_core.builtin.tiny_backbones import TinyCausal

    def make(seed=3, **changes):
        shape = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 320}
        return TinyCausal(**shape | changes, device="cpu").build(catalogue, Context(seed=seed))

    return make


@pytest.fixture
def model(build):
    """A fresh tiny model."""
    return build()


@pytest.fixture
def train():
    """Two users with attributes, one without."""
    rows = Sequences.of([[0, 1, 2, 3], [3, 4, 0], [5, 2]])
    known = {"u1": {"age": 24, "job": "cook", "searches": ["dry tents", "warm light"]}, "u2": {"age": 40}}
    return View("train", ("u1", "u2", "u3"), rows, None, 10, attributes=known)


@pytest.fixture
def valid():
    """One held-out item each for two users."""
    import numpy as np

    rows = Sequences.of([[0, 1, 2, 3], [3, 4, 0]])
    return View("valid", ("u1", "u2"), rows, np.array([4, 1], dtype=np.int32), 10)
