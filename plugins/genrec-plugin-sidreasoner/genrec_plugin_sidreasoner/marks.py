"""Marks: how a teacher's text names items, so that it does not depend on their SIDs.

A teacher is shown `[[1]]`, `[[2]]` … in place of SIDs and writes marks where it means items. The text is kept
with its marks; only the sample that is made of it points at items, and the renderer writes the SIDs. New
SIDs therefore ask nothing anew.

    "First came [[1]], then [[2]]."   with items 17 and 4
    → Text("First came "), <17>, Text(", then "), <4>, Text(".")
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from genrec_core import ItemRef, Text

MARK = re.compile(r"\[\[([^\[\]]*)\]\]")


def mark(name: object) -> str:
    """The mark with a name.

    >>> mark(3)
    '[[3]]'
    """
    return f"[[{name}]]"


def names_in(text: str) -> list[str]:
    """The names of a text's marks, in order.

    >>> names_in("from [[1]] to [[2]], not [3]")
    ['1', '2']
    """
    return MARK.findall(text)


def segments_of(text: str, items: Mapping[str, int]) -> tuple[Text | ItemRef, ...]:
    """A text with its marks replaced by the items they name, all of it to be learnt.

    Raises:
        KeyError: a mark names no item.
    """
    segments: list[Text | ItemRef] = []
    end = 0
    for found in MARK.finditer(text):
        if found.start() > end:
            segments.append(Text(text[end : found.start()], learn=True))
        segments.append(ItemRef(items[found[1]], learn=True))
        end = found.end()
    if end < len(text):
        segments.append(Text(text[end:], learn=True))
    return tuple(segments)
