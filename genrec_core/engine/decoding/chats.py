"""Chats: a language model answers chats greedily, a batch at a time.

Turns are tokenised apart from what the chat template writes between them, as everywhere in the engine, so no
item's text can end a turn. A model without a template reads the turns as paragraphs and goes on writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import Turn
from genrec_core.contracts.teacher import Chat
from genrec_core.engine.decoding.free_text import FreeSettings, write_freely
from genrec_core.engine.decoding.head import Head
from genrec_core.engine.decoding.steppers import stepper_for
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.pieces import chat_layout


def answered_chats(
    model: Model, chats: Sequence[Chat], *, max_tokens: int, stop: Sequence[str], batch: int
) -> Iterator[tuple[int, str]]:
    """The place of each chat among `chats` and its answer, the longest chats first.

    Args:
        model: writes.
        chats: each ends with the turn to be answered.
        max_tokens: most tokens of an answer.
        stop: texts before which an answer is cut off.
        batch: chats answered together.

    Raises:
        GenrecError: a chat leaves no room for an answer.
    """
    prompts = [chat_prompt(model, chat) for chat in chats]
    longest = max(map(len, prompts), default=0)
    if longest + max_tokens > model.max_length:
        raise GenrecError(
            f"a chat of {longest:,} tokens and an answer of `{max_tokens}` do not fit into the "
            f"{model.max_length:,} tokens that the model may use",
            hint="raise `max_length` of the teacher, or show it less",
        )
    head, settings = Head(model.network), FreeSettings(max_tokens, stop=((model.end_id,),))
    order = sorted(range(len(chats)), key=lambda place: -len(prompts[place]))
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        stepper = stepper_for(model, steps=max_tokens, width=1)
        written = write_freely(stepper, head, [prompts[place] for place in places], settings)
        for place, (text,) in zip(places, written, strict=True):
            answer = model.text_tokenizer.decode(list(text.tokens), skip_special_tokens=True)
            yield place, _cut(answer, stop)


def chat_prompt(model: Model, chat: Chat) -> list[int]:
    """Token ids of a chat up to where the answer begins."""
    contents = model.tokenise([message.text for message in chat])
    if not model.chat:
        between = model.tokenise(["\n\n"])[0]
        ids = list(model.frame[0])
        for place, content in enumerate(contents):
            ids += [*(between if place else ()), *content]
        return ids
    turns: list[Turn] = [*(message.turn for message in chat), "assistant"]
    layout = chat_layout(model.text_tokenizer, turns)
    literals = [
        model.text_tokenizer(literal, add_special_tokens=False)["input_ids"] if literal else []
        for literal in layout
    ]
    ids = []
    for literal, content in zip(literals, [*contents, []], strict=True):
        ids += [*literal, *content]
    return ids


def _cut(answer: str, stop: Sequence[str]) -> str:
    places = [answer.find(text) for text in stop]
    return answer[: min((place for place in places if place >= 0), default=len(answer))]
