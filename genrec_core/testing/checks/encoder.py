"""What an encoder promises: one finite vector a text, and the same one in any company."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_items
from genrec_core.testing.verdicts import NotApplicable, require

CLOSE = 1e-4
"""Largest difference between two encodings of a text, as a share of the longest vector."""


def gives_one_vector_a_text(subject: Subject) -> None:
    """`encode` gives float32 [texts, d]."""
    texts = _texts(subject)
    vectors = _encode(subject, texts)
    require(vectors.ndim == 2 and len(vectors) == len(texts), f"{len(texts)} texts gave {vectors.shape}")
    require(vectors.dtype == np.float32, f"vectors must be float32, are {vectors.dtype}")


def gives_finite_vectors(subject: Subject) -> None:
    """No vector has a NaN or an infinity, not even that of an empty or a strange text."""
    odd = ["", " ", "é" * 3, "a", "😀 日本語", "word " * 2000]
    vectors = _encode(subject, [*_texts(subject), *odd])
    require(np.isfinite(vectors).all(), "a vector is not finite")


def tells_texts_apart(subject: Subject) -> None:
    """Different texts do not all get the same vector."""
    vectors = _encode(subject, _texts(subject))
    require(len(np.unique(vectors, axis=0)) > 1, "every text got the same vector")


def agrees_with_itself(subject: Subject) -> None:
    """The same texts give the same vectors."""
    texts = _texts(subject)
    first, second = _encode(subject, texts), _encode(subject, texts)
    require(np.array_equal(first, second), "two encodings of the same texts differ")


def ignores_the_order_of_texts(subject: Subject) -> None:
    """A text's vector does not depend on where in the list it stands."""
    texts = _texts(subject)
    order = np.random.default_rng(3).permutation(len(texts))
    straight = _encode(subject, texts)
    _require_close(_encode(subject, [texts[i] for i in order]), straight[order], "another order")


def ignores_the_company_of_texts(subject: Subject) -> None:
    """A text's vector does not depend on the texts around it: new items are encoded without the old."""
    if not subject.component().inductive:
        raise NotApplicable("looks at all texts together (`inductive` is False)")
    texts = _texts(subject)
    _require_close(_encode(subject, texts[:5]), _encode(subject, texts)[:5], "other texts beside it")


def _texts(subject: Subject) -> list[str]:
    texts: list[str] = subject.component().texts(toy_items())
    return texts


def _encode(subject: Subject, texts: Sequence[str]) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = subject.component().encode(texts, subject.context())
    return vectors


def _require_close(found: NDArray[np.float32], wanted: NDArray[np.float32], why: str) -> None:
    require(found.shape == wanted.shape, f"{why} gave vectors {found.shape} instead of {wanted.shape}")
    scale = float(np.linalg.norm(wanted, axis=1).max()) or 1.0
    gap = float(np.abs(found - wanted).max()) / scale
    require(gap <= CLOSE, f"{why} moved a vector by {gap:.2g} of its length")


CHECKS = (
    gives_one_vector_a_text,
    gives_finite_vectors,
    tells_texts_apart,
    agrees_with_itself,
    ignores_the_order_of_texts,
    ignores_the_company_of_texts,
)
