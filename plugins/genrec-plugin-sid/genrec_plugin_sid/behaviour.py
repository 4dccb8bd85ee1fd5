"""Behaviour: what users chose near an item, as vectors to quantise beside the item's text.

Codes made from texts alone group items that read alike. Whoever predicts the next item needs items grouped
that are chosen alike, and training sequences say which those are: by what stands near an item
(`cooccurrence`) and, if asked, by what a sequential recommender makes of that (`sequence_vectors`).

Items that training never shows have no such vector. It is predicted from the text's by ridge regression,
fitted on those that do, so new items can be named later: the regression is part of the identifiers' state.

    share .8: four fifths of the squared distance of two items are of their behaviour, a fifth of their texts
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core import Context, Options, View
from genrec_core.engine import cooccurrence_vectors
from genrec_plugin_sid.unit import unit_rows

PURPOSE = 1 << 20
"""Of the random numbers behind behaviour vectors; levels count from 0."""

RIDGE = 0.1
"""Strength of the regression's penalty, as a share of the texts' mean square."""


class BehaviourOptions(Options):
    """How much behaviour counts, and how it is measured."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Share of the squared distances that behaviour makes up; the text makes up the rest."""

    dimensions: int = Field(default=64, ge=1, le=65_536)
    """Length of the behaviour vectors."""

    window: int = Field(default=20, ge=1)
    """Largest distance of two items in a sequence that counts."""

    epochs: int = Field(default=0, ge=0)
    """Epochs of a SASRec that starts from these vectors and learns to predict the next training item; its
    item embeddings then take their place. 0: what stands near an item is all."""


@dataclass(frozen=True)
class Behaviour:
    """How text vectors and behaviour vectors are put together, and the second guessed from the first.

    Attributes:
        share: see the options.
        mean: float32 [d], of the unit text vectors.
        regression: float32 [d, b]: unit text vectors less their mean, to behaviour vectors.
    """

    share: float
    mean: NDArray[np.float32]
    regression: NDArray[np.float32]

    def guessed(self, texts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit behaviour vectors float32 [N, b] that texts (float32 [N, d]) let expect."""
        texts = (unit_rows(texts) - self.mean).astype(np.float32)
        return unit_rows(texts @ self.regression)

    def joined(self, texts: NDArray[np.float32], behaviour: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is quantised, float32 [N, d + b]."""
        own = (unit_rows(texts) - self.mean) * np.float32(np.sqrt(1 - self.share))
        return np.concatenate([own, behaviour * np.float32(np.sqrt(self.share))], axis=1)

    def texts_of(self, joined: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The unit text vectors float32 [N, d] in what was joined; None where they do not count at all."""
        if self.share == 1:
            return None
        own = joined[:, : len(self.mean)]
        return np.asarray(own / np.float32(np.sqrt(1 - self.share)) + self.mean, dtype=np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """The arrays to keep."""
        return {"mean": self.mean, "regression": self.regression}


def fit_behaviour(
    texts: NDArray[np.float32], train: View, options: BehaviourOptions, context: Context
) -> tuple[Behaviour, NDArray[np.float32]]:
    """How to put texts and behaviour together, and a catalogue so put together.

    Args:
        texts: float32 [N, d], the items' text vectors.
        train: the training view; no other may be read.
        options: see there.
        context: seed; progress and log of the epochs.

    Returns:
        What names new items, and the vectors float32 [N, d + b] of the catalogue's.
    """
    # The SVD's iterations start here: the result depends on it in its last digits.
    start = context.generator(PURPOSE).standard_normal(len(texts))
    chosen = unit_rows(cooccurrence_vectors(train, len(texts), options.dimensions, options.window, start))
    seen = np.linalg.norm(chosen, axis=1) > 0
    if options.epochs and seen.any():
        # Imports torch, which checking and explaining a pipeline must not.
        from genrec_plugin_sid.sequence_vectors import sequence_vectors

        own_seed = int(context.generator(PURPOSE, 1).integers(2**31))
        chosen[seen] = sequence_vectors(chosen, train, options.epochs, replace(context, seed=own_seed))[seen]
    own = unit_rows(texts)
    mean = own.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = (own[seen] - mean).astype(np.float64)
    gram = centred.T @ centred
    penalty = RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
    regression = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ chosen[seen])
    behaviour = Behaviour(options.share, mean, regression.astype(np.float32))
    chosen[~seen] = behaviour.guessed(texts[~seen])
    return behaviour, behaviour.joined(texts, chosen)
