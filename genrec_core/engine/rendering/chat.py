"""Chat layouts: the literal text that a chat template puts around and between turns.

The template is rendered once for each order of turns, with a unique mark in place of every turn's content,
and cut at the marks. What lies between is literal; contents are tokenised apart from it. So contents can
neither merge with the template's tokens nor be read as control tokens, and a training sample and the
prompt for the same request get the same bytes: both are cut out of the layout that ends with the
assistant's turn. What the template writes after the last turn is left out; the renderer writes the
end-of-text token there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import Turn


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
    literals = []
    for mark in marks:
        literal, found, rendered = rendered.partition(mark)
        if not found:
            raise GenrecError(
                f"the chat template does not write the turns {order} in order",
                hint="use `chat: never` on the model, or a corpus with turns that it allows",
            )
        literals.append(literal)
    return literals
