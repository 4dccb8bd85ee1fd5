"""Canary: a word that exists nowhere else, put where no prompt may read.

A test row's target must not be told in its own prompt. The contract kit writes a made-up word into every
text field of target items, renders all prompts, and looks for the word.

    items, word = with_canary(items, targets=[7])
    assert not found(word, prompts_of_rows_whose_target_is_7)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from genrec_core.contracts.items import Items

_LETTERS = "bcdfghjklmnpqrstvwxz"
_LENGTH = 12


def with_canary(items: Items, targets: Iterable[int]) -> tuple[Items, str]:
    """The catalogue with a unique word in every text field of the targets, and the word.

    The word is made of consonants, so that no text holds it by chance; it is the same for the same ids.
    Absent text of a target is replaced by the word.
    """
    word = _unused_word(items)
    chosen = set(targets)
    fields = dict(items.fields)
    for name in items.text_fields:
        fields[name] = [
            _marked(value, word) if index in chosen else value
            for index, value in enumerate(items.fields[name])
        ]
    return Items(items.ids, fields), word


def found(word: str, texts: Iterable[str]) -> list[int]:
    """Places of the texts that hold the word, whatever their case."""
    return [place for place, text in enumerate(texts) if word in text.lower()]


def _marked(value: Any, word: str) -> Any:
    if isinstance(value, list):
        return [*value, word]
    return f"{value} {word}" if isinstance(value, str) and value else word


def _unused_word(items: Items) -> str:
    digest = hashlib.sha256(orjson.dumps(items.ids)).digest()
    while True:
        word = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:_LENGTH])
        if not found(word, (items.text(index) for index in range(len(items)))):
            return word
        digest = hashlib.sha256(digest).digest()
