"""Pieces: token ids of every text that samples are made of, each tokenised once.

Items are tokenised a form at a time in one batch, because the text tokenizer's own cost a call is larger
than its cost a text; literal texts (instructions, separators) are few and are kept as they come.
"""

from __future__ import annotations

from collections.abc import Sequence

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.samples import Turn
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.chat import chat_layout

BATCH = 50_000
"""Items tokenised in one call: bounds memory for catalogues of millions."""

TEXTS = 100_000
"""Literal texts kept; beyond that they are tokenised again, so that free text cannot fill the memory."""


class Pieces:
    """Token ids for one model and one version of the identifiers."""

    def __init__(self, model: Model, catalogue: Catalogue) -> None:
        self._model, self._catalogue = model, catalogue
        self._forms: dict[str, list[list[int]]] = {}
        self._longest: dict[str, int] = {}
        self._texts: dict[str, list[int]] = {}
        self._layouts: dict[tuple[Turn, ...], list[list[int]]] = {}

    def form(self, form: str) -> list[list[int]]:
        """Token ids of every item written in a form, in catalogue order."""
        if form not in self._forms:
            texts = self._catalogue.answers(form)
            self._forms[form] = [
                ids
                for start in range(0, len(texts), BATCH)
                for ids in self._model.tokenise(texts[start : start + BATCH])
            ]
        return self._forms[form]

    def longest(self, form: str) -> int:
        """Number of tokens of the longest item in a form."""
        if form not in self._longest:
            self._longest[form] = max(map(len, self.form(form)), default=0)
        return self._longest[form]

    def text(self, text: str) -> list[int]:
        """Token ids of a literal text."""
        ids = self._texts.get(text)
        if ids is None:
            ids = self._model.tokenise([text])[0] if text else []
            if len(self._texts) < TEXTS:
                self._texts[text] = ids
        return ids

    def literals(self, turns: Sequence[Turn]) -> list[list[int]]:
        """Token ids that the chat template writes before each turn's content."""
        key = tuple(turns)
        if key not in self._layouts:
            tokenizer = self._model.text_tokenizer
            self._layouts[key] = [
                tokenizer(literal, add_special_tokens=False)["input_ids"] if literal else []
                for literal in chat_layout(tokenizer, key)
            ]
        return self._layouts[key]
