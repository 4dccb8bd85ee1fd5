"""A small shop whose items can be told apart by their words, and models that read it."""

from __future__ import annotations

import pytest

from genrec_core import Context, Items
from genrec_core.engine import SFTSettings

THINGS = ("tent", "lamp", "rope", "kettle", "stove", "map")
COLOURS = ("red", "blue", "green", "black")
MAKERS = ("Alder", "Birch", "Cedar")

SMALL = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 400, "device": "cpu"}
TAUGHT = SFTSettings(epochs=40, learning_rate=1e-2, batch_size=8, keep="last", patience=None)
"""Enough for the smallest T5 to copy the telling words of the shop."""


def shop_items():
    """Twenty-four items with title, brand and description, the last two alike in all but their id."""
    pairs = [(colour, thing) for thing in THINGS for colour in COLOURS]
    pairs[-1] = pairs[-2]
    return Items(
        tuple(f"i{n}" for n in range(len(pairs))),
        {
            "title": [f"{colour.title()} {thing}" for colour, thing in pairs],
            "brand": [MAKERS[THINGS.index(thing) % 3] for _, thing in pairs],
            "description": [f"A {colour} {thing}, good for walks." for colour, thing in pairs],
        },
    )


@pytest.fixture(scope="session")
def shape():
    return SMALL


@pytest.fixture(scope="session")
def taught():
    return TAUGHT


@pytest.fixture(scope="session")
def items():
    return shop_items()


@pytest.fixture(scope="session")
def seq2seq():
    """The smallest T5 backbone that reads the shop."""
    from genrec_core.builtin.tiny_backbones import TinySeq2Seq

    return TinySeq2Seq(**SMALL)


@pytest.fixture(scope="session")
def named(items, seq2seq):
    """Identifiers and generator of a tokenizer that was taught for a moment."""
    from genrec_plugin_idgenrec.textual import Textual

    return Textual(generator=seq2seq, teach=TAUGHT).fit(items, None, Context(seed=3))


@pytest.fixture
def model(named):
    """A copy of that generator, to be changed."""
    import copy

    return copy.deepcopy(named.model)
