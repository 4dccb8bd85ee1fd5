"""Texts: whether items say enough about themselves for an encoder to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec_core.identifiers.diagnosis.duplicates import words_of

SHORT = 3
"""A text of fewer words is short."""


@dataclass(frozen=True)
class Texts:
    """How long the items' texts are.

    Attributes:
        median_words: of a text.
        short: share of the items with fewer than `SHORT` words (empty ones included).
        empty: how many items have no word at all.
    """

    median_words: float
    short: float
    empty: int


def texts_of(texts: Sequence[str]) -> Texts | None:
    """Their lengths in words; None when there are no texts."""
    if not any(texts):
        return None
    words = np.asarray([len(words_of(text)) for text in texts])
    return Texts(float(np.median(words)), float((words < SHORT).mean()), int((words == 0).sum()))
