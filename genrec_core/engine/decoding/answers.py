"""What may be answered: every item of a catalogue in one form, as a trie of token ids.

Decoding walks it and legal training normalises over it, so both mean the same by "legal". Where one answer
is the beginning of another, the end token tells them apart; nowhere else is it part of an answer.
"""

from __future__ import annotations

from genrec_core.contracts.samples import IDENTIFIER
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.identifiers.compile import compile_trie
from genrec_core.identifiers.trie import Trie


def answer_trie(renderer: Renderer, end_id: int, form: str = IDENTIFIER) -> Trie:
    """The trie of all answers in a form; items that have none in it are left out."""
    ids = renderer.answer_ids(form)
    named = [item for item, tokens in enumerate(ids) if tokens]
    return compile_trie([ids[item] for item in named], named, terminator=end_id, terminate="ambiguous")
