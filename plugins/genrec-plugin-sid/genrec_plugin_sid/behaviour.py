"""Behaviour: what users chose near an item, as vectors to quantise beside the item's text.

Codes made from texts alone group items that read alike. Whoever predicts the next item needs items grouped
that are chosen alike, and training sequences say which those are. Two items are near when they stand in one
sequence, a pair at distance d counting 1/d. The counts become positive pointwise mutual information, with the
context's frequency raised to .75 so that rare contexts count less, and a truncated SVD turns that table into
one vector an item (Levy et al., 2015: word2vec factorises such a table).

Items that training never shows have no such vector. It is predicted from the text's by ridge regression,
fitted on those that do, so new items can be named later: the regression is part of the identifiers' state.

    sequences (tent, rope, lamp) → pairs tent–rope 1, rope–lamp 1, tent–lamp 1/2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core import Options, View
from genrec_plugin_sid.unit import unit_rows

CONTEXT_POWER = 0.75
RIDGE = 0.1
"""Strength of the regression's penalty, as a share of the texts' mean square."""


class BehaviourOptions(Options):
    """How much behaviour counts, and how it is measured."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Share of the squared distances that behaviour makes up; the text makes up the rest."""

    dimensions: int = Field(default=64, ge=1)
    """Length of the behaviour vectors."""

    window: int = Field(default=20, ge=1)
    """Largest distance of two items in a sequence that counts."""


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
    texts: NDArray[np.float32], train: View, options: BehaviourOptions, start: NDArray[np.float64]
) -> tuple[Behaviour, NDArray[np.float32]]:
    """How to put texts and behaviour together, and a catalogue so put together.

    Args:
        texts: float32 [N, d], the items' text vectors.
        train: the training view; no other may be read.
        options: see there.
        start: float64 [N], where the SVD's iterations start: the result depends on it in its last digits.

    Returns:
        What names new items, and the vectors float32 [N, d + b] of the catalogue's.
    """
    chosen = unit_rows(cooccurrence_vectors(train, len(texts), options.dimensions, options.window, start))
    seen = np.linalg.norm(chosen, axis=1) > 0
    own = unit_rows(texts)
    mean = own.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = (own[seen] - mean).astype(np.float64)
    gram = centred.T @ centred
    penalty = RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
    regression = np.linalg.solve(gram + penalty * np.eye(len(gram)), centred.T @ chosen[seen])
    behaviour = Behaviour(options.share, mean, regression.astype(np.float32))
    chosen[~seen] = behaviour.guessed(texts[~seen])
    return behaviour, behaviour.joined(texts, chosen)


def cooccurrence_vectors(
    train: View, items: int, dimensions: int, window: int, start: NDArray[np.float64]
) -> NDArray[np.float32]:
    """One vector an item, float32 [N, up to dimensions]; zeros for items that stand beside no other."""
    # Only fitting needs SciPy, which takes half a second to import.
    from scipy.sparse.linalg import svds

    table = _mutual_information(_counts(train, items, window))
    rank = min(dimensions, items - 1)
    if rank < 1 or not table.nnz:
        return np.zeros((items, max(rank, 1)), dtype=np.float32)
    left, strengths, _ = svds(table, k=rank, v0=start)
    order = np.argsort(-strengths, kind="stable")
    left = left[:, order] * np.sqrt(np.maximum(strengths[order], 0))
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)])
    return np.asarray(left * np.where(signs == 0, 1, signs), dtype=np.float32)


def _counts(train: View, items: int, window: int) -> Any:
    """Symmetric table [N, N] of how near items stand, in CSR form; an item beside itself does not count."""
    from scipy.sparse import coo_matrix

    values, offsets = train.rows.values, train.rows.offsets
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    total = coo_matrix((items, items)).tocsr()
    for distance in range(1, min(window, int(np.diff(offsets).max(initial=0))) + 1):
        inside = rows[distance:] == rows[:-distance]
        first, second = values[:-distance][inside], values[distance:][inside]
        other = first != second
        weights = np.full(int(other.sum()), 1.0 / distance)
        pairs = coo_matrix((weights, (first[other], second[other])), shape=(items, items)).tocsr()
        total = total + pairs + pairs.T
    return total


def _mutual_information(counts: Any) -> Any:
    """Positive pointwise mutual information of a symmetric table of counts, in CSR form."""
    from scipy.sparse import csr_matrix

    entries = counts.tocoo()
    margins = np.asarray(counts.sum(axis=1)).ravel()
    contexts = margins**CONTEXT_POWER
    contexts /= max(float(contexts.sum()), 1e-300)
    information = np.log(entries.data / (margins[entries.row] * contexts[entries.col]))
    kept = information > 0
    places = (entries.row[kept], entries.col[kept])
    return csr_matrix((information[kept], places), shape=counts.shape)
