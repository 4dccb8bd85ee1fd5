"""The layout that corpora of item sequences share: instruction, history, separator, and what comes next.

    each: prefix   one sample for every item after the first, with the history before it
    each: user     windows of a user's sequence, one item longer than a history may be, in which every item
                   after the first is learnt; two windows share the item between them

    items 1 to 8, histories of at most 3 items → windows (1 2) (2 3 4 5) (5 6 7 8)

In a chat the history is the user's turn for `prefix`; for `user` it is learnt, so it opens the assistant's.
A subclass says how a sequence is written (`listed`) and what is learnt; it recommends by `asked`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.samples import History, Segment, Text, Turn
from genrec_core.contracts.views import View


class ItemSequences(Corpus):
    """A corpus whose samples are sequences of items behind an instruction."""

    class Options(Corpus.Options):
        """How many samples a user gives, and what stands around items."""

        each: Literal["prefix", "user"] = "prefix"
        """One sample for every prefix of a sequence, or one for every user."""
        instruction: str = ""
        """Text before the history. Short or empty for tiny models: they read it every time."""
        separator: str = ","
        """Text between two items."""
        max_per_user: int | None = Field(None, gt=0)
        """Most samples of one user, the newest; all by default."""

    options: Options

    @abstractmethod
    def listed(self, items: tuple[int, ...], learn: bool) -> History:
        """How a sequence is written, to be learnt or only read."""

    def instruction(self) -> tuple[Segment, ...]:
        """The instruction, if there is one."""
        return (Text(self.options.instruction),) if self.options.instruction else ()

    def asked(self, history: tuple[int, ...]) -> tuple[Segment, ...]:
        """Everything before the answer: what training shows and recommending asks by."""
        if not history:
            return self.instruction()
        gap = Text(self.options.separator, turn=self.turn)
        return (*self.instruction(), self.listed(history, learn=False), gap)

    def windows(self, view: View) -> Iterator[tuple[int, ...]]:
        """Windows of the view's sequences, users in row order, oldest window first."""
        width = max(1, view.max_history)
        for _, sequence in view.sequences():
            items = sequence.tolist()
            ends = list(range(len(items), 1, -width))[: self.options.max_per_user]
            for end in reversed(ends):
                yield tuple(items[max(0, end - width - 1) : end])

    @property
    def turn(self) -> Turn:
        """Whose turn the history is in a chat."""
        return "assistant" if self.options.each == "user" else "user"
