"""The four questions of enrichment, in our words (SIDReasoner appendix C).

    product facts        an item's fields → one JSON object
    product paragraph    that object → a paragraph that calls the item by its mark
    customer monologue   a history → what the customer thinks, in the first person, without naming products
    customer story       history and monologue → prose in which products are marks

The first line of a question says which it is, so that a teacher without a language model
(`sidreasoner/templates`) can answer too; what it is about stands between the lines BEGIN and END.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from genrec_core import Chat, Items, Message
from genrec_plugin_sidreasoner.marks import mark

SYSTEM = "You write about products and the people who buy them. Keep to what you are told; invent no brand."
ITEM = "item"
"""Name of the mark of the product that a paragraph is about."""

FACTS, PARAGRAPH = "PRODUCT FACTS", "PRODUCT PARAGRAPH"
MONOLOGUE, STORY = "CUSTOMER MONOLOGUE", "CUSTOMER STORY"

_FACTS_RULES = """\
Say what is known and what plainly follows about this product, as one JSON object and nothing else:
{"description": one or two sentences, "use_cases": list of texts, "audiences": list of texts,
"highlights": list of texts, "keywords": list of single words or short phrases}
Every list has one to six entries. Write no line breaks inside texts."""

_PARAGRAPH_RULES = f"""\
Turn these facts into one flowing paragraph of three to six sentences. Call the product {mark(ITEM)} wherever
you mean it, two or three times, and never by its title. No list, no heading."""

_MONOLOGUE_RULES = """\
You are the customer who bought these products, oldest first. In three to five sentences, speaking as "I", say
what you care about, how that has shifted, and which kind of thing you are drawn to now. Speak of kinds and
purposes only: write out no product's title, and do not settle on one product to buy next."""

_STORY_RULES = """\
Tell as one paragraph how this customer's purchases follow one another and why, in the order given, weaving
in the thoughts. Call every product by its mark, such as [[1]], each at least once; write out no title."""


def facts_question(items: Items, item: int, fields: Sequence[str], characters: int) -> Chat:
    """The first call of an item's chain: its fields."""
    return _question(FACTS, _FACTS_RULES, described(items, item, fields, characters))


def paragraph_question(facts: str) -> Chat:
    """The second: what the first gave, as JSON."""
    return _question(PARAGRAPH, _PARAGRAPH_RULES, facts)


def monologue_question(lines: Sequence[str]) -> Chat:
    """The first call of a user's chain: one line for each item of the history, oldest first."""
    return _question(
        MONOLOGUE, _MONOLOGUE_RULES, "\n".join(f"{place}. {line}" for place, line in enumerate(lines, 1))
    )


def story_question(lines: Sequence[str], monologue: str) -> Chat:
    """The second: the same lines with marks, and the monologue."""
    listed = "\n".join(f"{mark(place)} {line}" for place, line in enumerate(lines, 1))
    return _question(STORY, _STORY_RULES, f"{listed}\nTHOUGHTS\n{monologue}")


def described(items: Items, item: int, fields: Sequence[str], characters: int) -> str:
    """An item's fields, one a line; those it lacks are left out.

    Args:
        items: the catalogue.
        item: which.
        fields: in this order; every text field if none is named.
        characters: most of each field.
    """
    lines = []
    for field in fields or items.text_fields:
        value = " ".join(items.value(item, field).split())[:characters].strip()
        if value:
            lines.append(f"{field}: {value}")
    return "\n".join(lines)


def asked_about(chat: Chat) -> tuple[str, str] | None:
    """Which question a chat is and what it is about; None for a chat that is none of these."""
    found = re.match(r"TASK: ([A-Z ]+)\n.*?\nBEGIN\n(.*)\nEND$", chat[1].text if len(chat) > 1 else "", re.S)
    return (found[1], found[2]) if found else None


def _question(task: str, rules: str, about: str) -> Chat:
    return (
        Message("system", SYSTEM),
        Message("user", f"TASK: {task}\n{rules}\nBEGIN\n{about}\nEND"),
    )
