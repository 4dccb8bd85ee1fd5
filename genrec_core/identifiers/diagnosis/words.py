"""Words: what identifiers in plain words say, and how much of the items' own texts they keep.

Identifiers made of new tokens (codes) say nothing by themselves, and are left out here. Words are compared in
lower case, letters and digits alone.

    red tent     "Red folding tent"      both words from the text, which has three
    red lamp     "Oil lamp, red"         first word shared with the item above
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec_core.contracts.identifiers import Identifiers
from genrec_core.identifiers.diagnosis.duplicates import words_of


@dataclass(frozen=True)
class WordUse:
    """How identifiers use words.

    Attributes:
        distinct: different words in use.
        mean: words of an identifier.
        shared: share of an identifier's words, on average, that some other item's identifier has too.
        first: different first words.
        fan_out: different second words behind a first word, on average over items.
        most_on_first: share of the items that begin with the most common first word.
        own: share of an identifier's words, on average, that stand in its item's text.
        kept: share of the distinct words of an item's text, on average, that its identifier has.
    """

    distinct: int
    mean: float
    shared: float
    first: int
    fan_out: float
    most_on_first: float
    own: float
    kept: float


def word_use(identifiers: Identifiers, texts: Sequence[str]) -> WordUse | None:
    """How identifiers use words; None where they are made of codes, or items have no text.

    Args:
        identifiers: of N items.
        texts: of the same items.
    """
    # Words are written with something between them; codes from a file may come without being declared.
    codes = set(identifiers.new_tokens) & set(identifiers.vocabulary) or not identifiers.separator
    names = [words_of(identifiers.text(item)) for item in range(len(identifiers))]
    if codes or not any(names) or not any(texts):
        return None
    among = Counter(word for name in names for word in set(name))
    firsts = Counter(name[0] for name in names if name)
    seconds: dict[str, set[str]] = {first: set() for first in firsts}
    for name in names:
        if len(name) > 1:
            seconds[name[0]].add(name[1])
    own, kept, shared = [], [], []
    for name, text in zip(names, texts, strict=True):
        there = set(words_of(text))
        if name:
            shared.append(np.mean([among[word] > 1 for word in name]))
            own.append(np.mean([word in there for word in name]))
        if there:
            kept.append(len(there & set(name)) / len(there))
    return WordUse(
        distinct=len(among),
        mean=float(np.mean([len(name) for name in names])),
        shared=float(np.mean(shared)),
        first=len(firsts),
        fan_out=float(np.mean([len(seconds[name[0]]) for name in names if name])),
        most_on_first=max(firsts.values()) / len(names),
        own=float(np.mean(own)),
        kept=float(np.mean(kept)) if kept else 0.0,
    )
