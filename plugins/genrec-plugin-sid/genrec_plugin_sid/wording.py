"""Wording: templates of one's own around what a task shows.

A template is plain text with one slot for what is shown and, where wanted, the names of the forms:

    "The {given} of an item is: {item}\\nIts {answer} is: "
    → Text("The title of an item is: "), <the item's title>, Text("\\nIts identifier is: ")

A task may have several wordings. Which of them a sample gets depends on what it shows alone, not on the seed
and not on the answer: then the prompt to recommend by is worded like the training sample of the same history,
and reinforcement learning asks what fine-tuning asked.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from string import Formatter

from genrec_core import History, ItemRef, Text

NAMES = ("given", "answer")
"""Fields beside the slot: the names of the form that is shown and of the form that is wanted."""


def check_wordings(templates: tuple[str, ...], slot: str) -> tuple[str, ...]:
    """The templates, if each has the slot once and no unknown field.

    Raises:
        ValueError: one has not, or its braces do not match.
    """
    for template in templates:
        fields = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
        if fields.count(slot) != 1 or set(fields) - {slot, *NAMES}:
            named = ", ".join(f"{{{name}}}" for name in NAMES)
            raise ValueError(
                f"`{template}` must contain {{{slot}}} once, and may contain {named} and no other field"
            )
    return templates


def worded(
    template: str, shown: ItemRef | History, names: Mapping[str, str]
) -> tuple[Text | ItemRef | History, ...]:
    """The segments of a template: `shown` in its slot, the names of forms written out."""
    segments: list[Text | ItemRef | History] = []
    literal = ""
    for text, name, _, _ in Formatter().parse(template):
        literal += text
        if name is not None and name in names:
            literal += names[name]
        elif name is not None:
            segments += [Text(literal), shown] if literal else [shown]
            literal = ""
    return (*segments, Text(literal)) if literal else tuple(segments)


def variant(templates: Sequence[str], shown: Sequence[int]) -> str:
    """The template for a prompt that shows these items; the same for the same items, whatever the seed."""
    if len(templates) == 1:
        return templates[0]
    return templates[zlib.crc32(repr(tuple(shown)).encode()) % len(templates)]
