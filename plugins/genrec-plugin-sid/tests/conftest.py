"""Items whose embeddings a test writes itself."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_sid.rq_kmeans import RQKMeans

from genrec_core import Context, Encoder, Items, Sequences, View
from genrec_core.contracts.context import unlogged


class ByTitle(Encoder):
    """Reads an item's vector out of its title."""

    def texts(self, items):
        return [items.value(item, "title") for item in range(len(items))]

    def encode(self, texts, state, context):
        return np.array([[float(number) for number in text.split()] for text in texts], dtype=np.float32)


class Shop:
    """Makes catalogues of vectors and names them."""

    def items(self, vectors, prefix="i"):
        """Items whose embeddings are the rows of `vectors`."""
        titles = [" ".join(f"{value:.9g}" for value in row) for row in np.atleast_2d(vectors)]
        return Items(tuple(f"{prefix}{n}" for n in range(len(titles))), {"title": titles})

    def tokenizer(self, **options):
        """`sid/rq-kmeans` on those embeddings."""
        return RQKMeans(encoder=ByTitle(), **options)

    def fit(self, vectors, *, seed=0, log=unlogged, **options):
        """Identifiers of items at `vectors`."""
        nobody = View("train", (), Sequences.of([]), None, 5)
        return self.tokenizer(**options).fit(self.items(vectors), nobody, Context(seed=seed, log=log))

    def extend(self, identifiers, vectors, **options):
        """Those identifiers with new items at `vectors`."""
        return self.tokenizer(**options).extend(identifiers, self.items(vectors, "new"), Context())


@pytest.fixture
def shop():
    """A `Shop`."""
    return Shop()


@pytest.fixture
def cloud():
    """Two hundred points around twenty centres, float32 [200, 16]."""
    generator = np.random.default_rng(1)
    centres = 5 * generator.standard_normal((20, 16))
    return (np.repeat(centres, 10, axis=0) + generator.standard_normal((200, 16))).astype(np.float32)
