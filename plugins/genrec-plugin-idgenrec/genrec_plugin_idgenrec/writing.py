"""How identifiers are written: what the ID generator reads of an item, and what it may answer.

The same settings serve the tokenizer that writes the first identifiers, the trainer that writes them anew
between its rounds, and whoever names new items; they travel with the identifiers, in
`Identifiers.settings`.

    title "Red tent", brand "Alder"   →   reads   title: Red tent; brand: Alder
                                          writes  "red tent, 2p!"  →  red tent 2p
"""

from __future__ import annotations

import re
from typing import Any, Literal

import orjson
from pydantic import Field

from genrec_core import Identifiers, Items
from genrec_core.contracts.options import Options
from genrec_plugin_idgenrec.unique import PENALTIES, Reset

SETTINGS = "textual"
"""Where the settings stand in `Identifiers.settings`."""

_WORD = re.compile(r"\w+")


class Writing(Options):
    """What the generator reads and how it writes."""

    fields: tuple[str, ...] = ()
    """Item fields that it reads, in this order; all text fields by default."""
    text_tokens: int = Field(256, ge=8, le=10_000)
    """Most tokens that it reads of an item; of several items together where it names a user."""
    before: str = ""
    """Text before an item's metadata."""
    behind: str = "\nTags: "
    """Text behind it. A decoder-only generator needs some, to know where to begin."""
    groups: int = Field(5, ge=1, le=1_000)
    """Texts of one attempt (k): groups of one beam each in diverse beam search."""
    window: int = Field(10, ge=2, le=1_000)
    """Tokens of a length window: texts of 1 to `window` − 1 tokens first, then from `window` on, …"""
    extensions: int = Field(2, ge=0, le=100)
    """How often the window may move on before it is an error."""
    reset: Reset = "item"
    """`item`: every item starts with the first penalty and window; `never`: the pseudo-code to the letter."""
    clean: Literal["words", "spaces"] = "words"
    """`words`: letters, digits and underscores, one space between; `spaces`: only white space is tidied."""

    @property
    def attempts(self) -> int:
        """Most attempts at one item."""
        return PENALTIES * (self.extensions + 1)

    def tidied(self, text: str) -> str:
        """A text as an identifier is written."""
        return " ".join(_WORD.findall(text) if self.clean == "words" else text.split())

    def metadata(self, items: Items, item: int) -> str:
        """An item as the generator reads it: `title: Red tent; brand: Alder`; empty fields are left out.

        Raises:
            DataError: items have no such field.
        """
        named = ((name, items.value(item, name)) for name in self.fields or items.text_fields)
        return "; ".join(f"{name}: {value}" for name, value in named if value)

    def kept(self) -> dict[str, Any]:
        """As an entry of `Identifiers.settings`."""
        plain = {name: getattr(self, name) for name in Writing.model_fields}
        return {SETTINGS: orjson.loads(orjson.dumps(plain))}


def writing_of(identifiers: Identifiers) -> Writing:
    """The settings that identifiers were written by; the defaults for those that came from elsewhere."""
    kept = identifiers.settings.get(SETTINGS)
    return Writing() if kept is None else Writing.model_validate_json(orjson.dumps(kept))
