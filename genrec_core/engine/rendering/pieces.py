"""Pieces: token ids of every text that samples are made of, each tokenised once.

Items are tokenised a form at a time in one batch, because the text tokenizer's own cost a call is larger
than its cost a text; literal texts (instructions, separators) are few and are kept as they come.

**Chat layouts** are the literal texts that a chat template puts around and between turns. The template is
rendered once for each order of turns, with a unique mark in place of every turn's content, and cut at the
marks. What lies between is literal; contents are tokenised apart from it. So contents can neither merge
with the template's tokens nor be read as control tokens, and a training sample and the prompt for the
same request get the same bytes: both are cut out of the layout that ends with the assistant's turn. What
the template writes after the last turn is left out; the renderer writes the end-of-text token there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import IDENTIFIER, Turn
from genrec_core.engine.models.model import Model
from genrec_core.identifiers.spelling import resolve_spellings

ITEMS_AT_ONCE = 50_000
"""Items tokenised in one call: bounds memory for catalogues of millions."""

KEPT_TEXTS = 100_000
"""Literal texts kept; beyond that they are tokenised again, so that free text cannot fill the memory."""


class Pieces:
    """Token ids for one model and one version of the identifiers."""

    def __init__(self, model: Model, catalogue: Catalogue) -> None:
        self._model, self._catalogue = model, catalogue
        self._forms: dict[str, list[list[int]]] = {}
        self._longest: dict[str, int] = {}
        self._by_ids: dict[str, dict[tuple[int, ...], list[int]]] = {}
        self._texts: dict[str, list[int]] = {}
        self._layouts: dict[tuple[Turn, ...], list[list[int]]] = {}

    def form(self, form: str) -> list[list[int]]:
        """Token ids of every item written in a form, in catalogue order.

        Raises:
            GenrecError: two different identifiers have the same ids, or one cannot be written.
        """
        if form not in self._forms:
            texts = self._catalogue.answers(form)
            self._forms[form] = [
                ids
                for start in range(0, len(texts), ITEMS_AT_ONCE)
                for ids in self._model.tokenise(texts[start : start + ITEMS_AT_ONCE])
            ]
            if form == IDENTIFIER:  # no item may be out of reach because another is written alike
                unknown = self._model.text_tokenizer.unk_token_id
                resolve_spellings(self._catalogue, self._forms[form], unknown, largest_share=0.0)
        return self._forms[form]

    def longest(self, form: str) -> int:
        """Number of tokens of the longest item in a form."""
        if form not in self._longest:
            self._longest[form] = max(map(len, self.form(form)), default=0)
        return self._longest[form]

    def by_ids(self, form: str) -> dict[tuple[int, ...], list[int]]:
        """Token ids of an item in a form → the items written so, in catalogue order; none for no ids."""
        if form not in self._by_ids:
            written: dict[tuple[int, ...], list[int]] = {}
            for item, ids in enumerate(self.form(form)):
                written.setdefault(tuple(ids), []).append(item)
            written.pop((), None)
            self._by_ids[form] = written
        return self._by_ids[form]

    def user(self, user: str) -> list[int]:
        """Token ids of a user's identifier.

        Raises:
            GenrecError: the identifiers do not name the user.
        """
        return self.text(self._catalogue.identifiers.user_text(user))

    def text(self, text: str) -> list[int]:
        """Token ids of a literal text."""
        ids = self._texts.get(text)
        if ids is None:
            ids = self._model.tokenise([text])[0] if text else []
            if len(self._texts) < KEPT_TEXTS:
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


def chat_layout(text_tokenizer: Any, turns: Sequence[Turn]) -> list[str]:
    """Literal text before each turn's content, one string a turn.

    Args:
        text_tokenizer: one with a chat template.
        turns: who speaks, in order, no speaker twice in a row.

    Raises:
        GenrecError: the template refuses this order of turns or does not write every turn once.
    """
    marks = [f"⟦turn-{place}⟧" for place in range(len(turns))]
    messages = [{"role": turn, "content": mark} for turn, mark in zip(turns, marks, strict=True)]
    order = ", ".join(turns)
    try:
        rendered = text_tokenizer.apply_chat_template(messages, tokenize=False)
    except Exception as error:  # templates are programs; they raise whatever their authors chose
        raise GenrecError(
            f"the chat template refuses the turns {order}: {error}",
            hint="use `chat: never` on the model, or a corpus with turns that it allows",
        ) from error
    repeated = [turn for turn, mark in zip(turns, marks, strict=True) if rendered.count(mark) > 1]
    if repeated:
        raise GenrecError(
            f"the chat template writes the content of the turn `{repeated[0]}` more than once",
            hint="use `chat: never` on the model: what is rendered must hold every content once",
        )
    literals = []
    for mark in marks:
        literal, found, rendered = rendered.partition(mark)
        if not found:
            raise GenrecError(
                f"the chat template does not write the turns {order} in order",
                hint="use `chat: never` on the model, or a corpus with turns that it allows",
            )
        literals.append(literal)
    if turns[-1] == "assistant":
        literals[-1] = _before_answer(text_tokenizer, messages[:-1], literals[-1])
    return literals


def _before_answer(text_tokenizer: Any, asked: list[dict[str, str]], literal: str) -> str:
    """What stands before an answer that is still to be written.

    Some templates put something before the answers that they are shown (Qwen3: an empty block of thought),
    and not where an answer is to be written. Whoever thinks would then think behind an empty thought.

    Args:
        text_tokenizer: one with a chat template.
        asked: the turns before the answer.
        literal: what stands before an answer that is shown.
    """
    if not asked:
        return literal
    try:
        prompt = text_tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    except Exception:  # a template that wants an answer in every exchange has shown what it writes before it
        return literal
    begun: str = prompt.rpartition(asked[-1]["content"])[2]
    plain: str = text_tokenizer.apply_chat_template(asked, tokenize=False).rpartition(asked[-1]["content"])[2]
    return begun if begun != plain and literal.startswith(begun) else literal
