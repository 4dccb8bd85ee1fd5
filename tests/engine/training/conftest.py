import dataclasses

import numpy as np
import pytest
import torch

from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Training, View
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.sample_table import rendered_table

ITEMS, STEP, HISTORY = 60, 7, 4


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny matrices gain nothing from threads; on a busy machine, threads that wait for each other lose."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def catalogue():
    """Sixty items with three random codes each."""
    codes = np.random.default_rng(0).permutation(8**3)[:ITEMS]
    tokens = [(f"<a_{c // 64}>", f"<b_{c // 8 % 8}>", f"<c_{c % 8}>") for c in codes]
    new = tuple(f"<{level}_{code}>" for level in "abc" for code in range(8))
    items = Items(tuple(map(str, range(ITEMS))), {"title": [f"thing {i}" for i in range(ITEMS)]})
    return Catalogue(items, Identifiers.of(tokens, new_tokens=new))


@pytest.fixture(scope="session")
def training():
    """Every user walks the catalogue in steps of seven, so the next item is certain."""
    rows = [[(start + STEP * place) % ITEMS for place in range(6)] for start in range(ITEMS)]
    users = tuple(f"u{row}" for row in range(len(rows)))
    train = View("train", users, Sequences.of(rows), None, HISTORY)
    targets = np.array([(row[-1] + STEP) % ITEMS for row in rows[::4]], dtype=np.int32)
    valid = View("valid", users[::4], Sequences.of(rows[::4]), targets, HISTORY)
    return Training(train, valid)


@pytest.fixture
def misled(training):
    """The same training rows with validation targets that contradict them: learning makes it worse."""
    valid = training.valid
    wrong = (valid.targets + STEP * STEP) % ITEMS
    return Training(training.train, dataclasses.replace(valid, targets=wrong.astype(np.int32)))


@pytest.fixture
def build(catalogue):
    """Makes fresh small models."""

    def build(**changes):
        shape = {"hidden": 64, "layers": 2, "heads": 2, "intermediate": 96, "vocabulary": 280}
        return TinyCausal(**{**shape, "device": "cpu", **changes}).build(catalogue, Context(seed=1))

    return build


@pytest.fixture
def table(build, catalogue, training):
    """Rendered prefixes of every user, every third of them with double weight."""
    context = Context()
    samples = NextItem().samples(training.train, catalogue, context)
    weighted = (
        dataclasses.replace(sample, weight=2.0 if place % 3 == 0 else 1.0)
        for place, sample in enumerate(samples)
    )
    return rendered_table(weighted, Renderer(build(), catalogue), context, "prefixes")
