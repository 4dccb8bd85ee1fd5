"""Samples: training and evaluation tasks before they become text.

A sample is a list of segments. Segments point at items instead of spelling them, so the same sample can
be rendered against any version of the identifiers, by the one renderer that training, reinforcement
learning and evaluation share. Everything before the first learnt segment is the prompt.

    Sample((Text("Next: "), ItemRef(7, learn=True)), target=7, answer_form="identifier")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Turn = Literal["system", "user", "assistant"]

IDENTIFIER = "identifier"
"""The form in which an item's identifier is written; every other form is the name of an item field."""


@dataclass(frozen=True)
class Text:
    """Literal text."""

    text: str
    learn: bool = False
    turn: Turn = "user"


@dataclass(frozen=True)
class ItemRef:
    """One item, written as its identifier or as one of its text fields."""

    item: int
    form: str = IDENTIFIER
    learn: bool = False
    turn: Turn = "user"


@dataclass(frozen=True)
class History:
    """Items in time order. When a rendered sample is too long, the oldest of these go first.

    Attributes:
        items: item indices, oldest first.
        form: how each is written.
        separator: text between two items.
        learn: whether the model learns to write every item after the first.
        between: text written behind each item. It is learnt with the item, so a model also learns where an
            identifier ends.
        field: an item field written behind `between`, and learnt with it; "" for none.
    """

    items: tuple[int, ...]
    form: str = IDENTIFIER
    separator: str = ", "
    learn: bool = False
    turn: Turn = "user"
    field: str = ""
    between: str = ""


@dataclass(frozen=True)
class UserRef:
    """One user, written by what the identifiers know of users (`Identifiers.users`)."""

    user: str
    learn: bool = False
    turn: Turn = "user"


Segment = Text | ItemRef | UserRef | History


@dataclass(frozen=True)
class Sample:
    """One task for the model.

    Attributes:
        segments: the task, in reading order.
        target: the item the answer names, None for tasks without one. Truth travels with the sample.
        weight: how much the sample counts in the loss.
        answer_form: which set of texts constrains the answer: `identifier`, an item field, or "" for none.
        task: name of the task, for reports.
        append_eos: whether the answer is followed by the end-of-text token.
        stop_text: text that the task writes behind an answer, where that is not the end-of-text token; it
            tells whoever writes freely that the answer is complete.
        plain: whether it is running text and no exchange: no chat template is put around it, also where the
            model's prompts are chats.
    """

    segments: tuple[Segment, ...]
    target: int | None = None
    weight: float = 1.0
    answer_form: str = IDENTIFIER
    task: str = "next-item"
    append_eos: bool = True
    stop_text: str = ""
    plain: bool = False
