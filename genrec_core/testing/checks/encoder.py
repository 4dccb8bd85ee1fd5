"""What an encoder promises: one finite vector a text, by what was learnt once, the same in any company."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.encoder import State
from genrec_core.store.content import load_arrays, save_arrays
from genrec_core.testing.subject import Subject, snapshot
from genrec_core.testing.toy import toy_items
from genrec_core.testing.verdicts import require

_CLOSE = 1e-4
"""Largest difference between two encodings of a text, as a share of the longest vector."""


def gives_one_vector_a_text(subject: Subject) -> None:
    """`encode` gives float32 [texts, d]."""
    texts = _texts(subject)
    vectors = _encode(subject, texts)
    require(vectors.ndim == 2 and len(vectors) == len(texts), f"{len(texts)} texts gave {vectors.shape}")
    require(vectors.dtype == np.float32, f"vectors must be float32, are {vectors.dtype}")


def gives_finite_vectors(subject: Subject) -> None:
    """No vector has a NaN or an infinity, not even that of an empty or a strange text."""
    read_texts = not subject.overrides("texts")
    odd = ["", " ", "é" * 3, "a", "😀 日本語", "word " * 2000] if read_texts else []
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
    state = _learnt(subject, texts)
    straight, mixed = _encode(subject, texts, state), _encode(subject, [texts[i] for i in order], state)
    _require_close(mixed, straight[order], "another order")


def ignores_the_company_of_texts(subject: Subject) -> None:
    """A text's vector depends on it and on what was learnt alone: new items are encoded without the old."""
    texts = _texts(subject)
    state = _learnt(subject, texts)
    few, all_of_them = _encode(subject, texts[:5], state), _encode(subject, texts, state)
    _require_close(few, all_of_them[:5], "other texts beside it")


def learns_plain_arrays(subject: Subject) -> None:
    """What was learnt is numeric arrays by name: kept in the store, then in identifiers, without pickle."""
    state = _learnt(subject, _texts(subject))
    odd = [name for name, array in state.items() if np.asarray(array).dtype.kind not in "biuf"]
    require(not odd, f"`fit` gave arrays that are not numeric: {', '.join(odd)}")


def embeds_by_what_was_learnt_alone(subject: Subject) -> None:
    """Saved, loaded and given to a fresh component, what was learnt gives the same vectors to the bit."""
    texts = _texts(subject)
    component = subject.component()
    before = set(vars(component))
    state = component.fit(texts, subject.context())
    first = component.encode(texts, state, subject.context())
    grown = sorted(set(vars(component)) - before)
    require(not grown, f"the component keeps {', '.join(grown)}; what is learnt must be what `fit` gives")
    save_arrays(subject.workspace / "learnt.safetensors", state)
    loaded, _ = load_arrays(subject.workspace / "learnt.safetensors")
    require(np.array_equal(_encode(subject, texts, loaded), first), "what was learnt embeds otherwise later")


def leaves_what_was_learnt_alone(subject: Subject) -> None:
    """`encode` changes nothing in the arrays it is given."""
    texts = _texts(subject)
    state = _learnt(subject, texts)
    before = snapshot(dict(state))[0]
    _encode(subject, texts[:5], state)
    changed = [name for name in before if not np.array_equal(before[name], state[name])]
    require(not changed and set(before) == set(state), "`encode` changed what was learnt")


def _texts(subject: Subject) -> list[str]:
    texts: list[str] = subject.component().texts(toy_items())
    return texts


def _learnt(subject: Subject, texts: Sequence[str]) -> State:
    state: State = subject.component().fit(texts, subject.context())
    return state


def _encode(subject: Subject, texts: Sequence[str], state: State | None = None) -> NDArray[np.float32]:
    state = _learnt(subject, texts) if state is None else state
    vectors: NDArray[np.float32] = subject.component().encode(texts, state, subject.context())
    return vectors


def _require_close(found: NDArray[np.float32], wanted: NDArray[np.float32], why: str) -> None:
    require(found.shape == wanted.shape, f"{why} gave vectors {found.shape} instead of {wanted.shape}")
    scale = float(np.linalg.norm(wanted, axis=1).max()) or 1.0
    gap = float(np.abs(found - wanted).max()) / scale
    require(gap <= _CLOSE, f"{why} moved a vector by {gap:.2g} of its length")


def result(subject: Subject) -> Any:
    """The items' vectors."""
    return _encode(subject, _texts(subject))


CHECKS = (
    gives_one_vector_a_text,
    gives_finite_vectors,
    tells_texts_apart,
    agrees_with_itself,
    ignores_the_order_of_texts,
    ignores_the_company_of_texts,
    learns_plain_arrays,
    embeds_by_what_was_learnt_alone,
    leaves_what_was_learnt_alone,
)
