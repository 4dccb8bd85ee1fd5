"""What no text of a teacher may hold: tags of thoughts, and titles where items are to be nameless."""

from __future__ import annotations

import re

from genrec_plugin_sidreasoner.asking import UnusableError

SHORTEST_TITLE = 8
"""A shorter title (`Tape`) is a word that anybody may use."""


def refuse_tags(text: str) -> None:
    """Refuse a text that would open or close a thought when a model reads it.

    Raises:
        UnusableError: it does.
    """
    if re.search(r"</?think>", text, re.I):
        raise UnusableError("it holds a <think> tag")


def spells(text: str, title: str) -> bool:
    """Whether a text writes out a title, whatever the case and white space.

    >>> spells("I like the Red  Tent best", "red tent"), spells("a tent", "Tent")
    (True, False)
    """
    wanted = " ".join(title.lower().split())
    return len(wanted) >= SHORTEST_TITLE and wanted in " ".join(text.lower().split())
