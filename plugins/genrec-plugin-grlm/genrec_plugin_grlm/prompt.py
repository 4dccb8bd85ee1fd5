"""The question put to a teacher: an item, the items most like it, what its terms must be (paper, figure 5).

The seven guidelines are the paper's, the words are ours: dictionary form, order of importance, five aspects
in a fixed order, the neighbours' vocabulary for what is shared, one or two words that only this item has,
one exact format, nothing else. `rules` asks an instruction-tuned model so. `examples` shows three items
with their terms and leaves the fourth open, which is all that a small model understands; its answer begins
behind the bracket. A `wording` takes the place of the rules: a text with the slots `{item}`, `{neighbours}`
and `{count}`, such as that of figure 5 in `paper.yaml`. Items stand there by the values of their fields.

Item blocks can be read back (`shown_in`), which lets a teacher without a language model answer the same
chats.

    ITEM
    title: Red tent
    SIMILAR ITEMS
    1. title: Blue tent
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Literal

from genrec_core import Chat, Items, Message
from genrec_core.contracts.identifiers import Tokens
from genrec_plugin_grlm.answer import Malformed

Style = Literal["rules", "examples"]

ITEM, SIMILAR = "ITEM", "SIMILAR ITEMS"

RULES = """\
You name items for a search index. Give the item below exactly {count} words.

1. Write every word as a dictionary lists it: singular noun or plain adjective, lower case. Join the parts \
of a compound with a hyphen.
2. Put the word that matters most first and the one that matters least last.
3. Go through these aspects in this order: what kind of item it is; what it is for; how it is made or what \
it can do; who it is for; why one would choose it.
4. What the item has in common with the similar items, name by one word that fits them all.
5. Let one or two of the words be true of this item and of none of the similar ones.
6. Write the words as one list in square brackets, with commas between them.
7. Write that list and nothing else, neither before nor after it.
"""

CLOSING = """
Before you write: what do the similar items share with this one, and what has only this one? The {count} \
words in square brackets:"""

ALONE = RULES.replace(
    "4. What the item has in common with the similar items, name by one word that fits them all.",
    "4. Name what items of its kind have in common by the usual word for it.",
).replace("of none of the similar ones", "of few others of its kind")

ALONE_CLOSING = "\nThe {count} words in square brackets:"

SECOND_QUESTION = """\
That cannot be used: {explanation}. Write only one list of exactly {count} different words in square \
brackets."""

EXAMPLES = (
    ("Oak rocking horse for toddlers, hand painted", "toy rocking-horse oak toddler handmade nursery wooden "
     "painted sturdy classic"),
    ("Trail head lamp, 300 lumen, rechargeable, waterproof", "lamp hiking rechargeable camper waterproof "
     "headband outdoor night lumen compact"),
    ("The Silent Orchard: a detective novel", "book mystery detective adult orchard novel crime fiction "
     "village suspense"),
)  # fmt: skip
"""Items that nobody sells, and ten terms of each."""

SHOTS, MOST_TERMS = 3, 10
"""Examples shown, and the most terms that they can have."""


def check_wording(wording: str, *, context: bool) -> None:
    """That a question's text has the slots that it needs, and no other.

    Raises:
        ValueError: it has not, or its braces do not match.
    """
    slots = [name for _, name, _, _ in Formatter().parse(wording) if name is not None]
    needed = ["item", "neighbours"] if context else ["item"]
    if [name for name in needed if slots.count(name) != 1] or set(slots) - {*needed, "count"}:
        named = " and ".join(f"{{{name}}}" for name in needed)
        raise ValueError(
            f"`wording` with `context: {str(context).lower()}` must contain {named} once, and may contain "
            "{count} and no other field; write {{ and }} for braces"
        )


@dataclass(frozen=True)
class TermQuestions:
    """Writes questions about the items of a catalogue.

    Attributes:
        items: the catalogue.
        fields: what is shown of an item.
        count: how many terms are asked for.
        characters: of each field of the item that are shown, and of each neighbour's.
        style: see above.
        drafts: terms of every item, for neighbours that are shown as examples.
        wording: the question of the style `rules` in other words; empty for ours.
    """

    items: Items
    fields: tuple[str, ...]
    count: int
    characters: tuple[int, int]
    style: Style = "rules"
    drafts: Sequence[Tokens] = ()
    wording: str = ""

    def question(self, item: int, neighbours: Sequence[int]) -> Chat:
        """The chat that asks for one item's terms."""
        if self.style == "examples":
            return (Message("user", self._examples(item, neighbours)),)
        if self.wording:
            return (Message("user", self._worded(item, neighbours)),)
        rules, closing = (RULES, CLOSING) if len(neighbours) else (ALONE, ALONE_CLOSING)
        blocks = [rules.format(count=self.count), ITEM, self._block(item, self.characters[0])]
        if len(neighbours):
            blocks.append(f"\n{SIMILAR}")
            blocks += [
                f"{place}. {self._block(other, self.characters[1])}"
                for place, other in enumerate(neighbours, 1)
            ]
        blocks.append(closing.format(count=self.count))
        return (Message("user", "\n".join(blocks)),)

    def again(self, chat: Chat, answer: Malformed) -> Chat:
        """The same chat with an answer that would not do, and why."""
        if self.style == "examples":
            # A model that only continues a text follows no correction: it sees the examples in another order.
            first, *others, last = chat[-1].text.split("\n\n")
            return (*chat[:-1], Message("user", "\n\n".join([*others, first, last])))
        text = SECOND_QUESTION.format(explanation=answer.explanation, count=self.count)
        return (*chat, Message("assistant", answer.answer), Message("user", text))

    def _block(self, item: int, characters: int) -> str:
        values = ((field, " ".join(self.items.value(item, field).split())) for field in self.fields)
        return "\n".join(f"{field}: {value[:characters]}" for field, value in values if value)

    def _worded(self, item: int, neighbours: Sequence[int]) -> str:
        near = [self._values(other, self.characters[1]) for other in neighbours]
        own = self._values(item, self.characters[0])
        return self.wording.format(item=own, neighbours="\n\n".join(near), count=self.count)

    def _values(self, item: int, characters: int) -> str:
        lines = self._block(item, characters).splitlines()
        return "\n".join(line.partition(": ")[2] for line in lines)

    def _line(self, item: int, characters: int) -> str:
        lines = self._block(item, characters).splitlines()
        return "; ".join(line.partition(": ")[2] for line in lines)

    def _examples(self, item: int, neighbours: Sequence[int]) -> str:
        near = reversed(neighbours[:SHOTS])  # the nearest stands next to the question
        shots = [(self._line(other, self.characters[1]), self.drafts[other]) for other in near]
        if not shots:
            shots = [(title, tuple(terms.split())[: self.count]) for title, terms in EXAMPLES]
        shown = [f"Item: {title}\nWords: [{', '.join(terms)}]" for title, terms in shots]
        return "\n\n".join([*shown, f"Item: {self._line(item, self.characters[0])}\nWords: ["])


@dataclass(frozen=True)
class Shown:
    """What a question shows: the texts of the item and of its neighbours, and how many words it asks for."""

    item: list[str]
    neighbours: list[list[str]]
    count: int


def shown_in(chat: Chat) -> Shown | None:
    """What the first message of a chat in the style `rules` shows; None for any other chat."""
    text = chat[0].text if chat else ""
    asked = re.search(r"exactly (\d+) words", text)
    body = text.partition(f"\n{ITEM}\n")[2]
    if not asked or not body:
        return None
    item, _, others = body.partition(f"\n{SIMILAR}\n")
    blocks = re.split(r"^\d+\. ", others.rpartition("\n\n")[0] if others else "", flags=re.MULTILINE)[1:]
    own = item.rpartition("\n\n")[0] if not others else item
    return Shown(_texts(own), [_texts(block) for block in blocks], int(asked[1]))


def _texts(block: str) -> list[str]:
    return [line.partition(": ")[2] for line in block.splitlines() if ": " in line]
