"""core/next-item: given what a user chose so far, write the next item.

One layout serves training and recommending: instruction, history, separator, answer. Items are written as
identifiers or as any item field, on either side.

    each: prefix   one sample for every item after the first, with the history before it
    each: user     one sample a user; every item after the first is learnt. Far fewer tokens for the same
                   targets. Causal models only, and identifiers of one length only: an identifier inside
                   the history is followed by the separator, not by the end of text, so a model cannot
                   learn there where an identifier ends.

In a chat the history is the user's turn for `prefix`; for `user` it is the beginning of the assistant's,
because it is learnt; the prompt to recommend by follows suit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.samples import IDENTIFIER, History, Sample, Segment, Text, Turn, Written
from genrec_core.contracts.views import Request, View


class NextItem(Corpus):
    """The sequential recommendation task."""

    class Options(Corpus.Options):
        """How the task is worded."""

        each: Literal["prefix", "user"] = "prefix"
        """One sample for every prefix of a sequence, or one for every user."""
        instruction: str = ""
        """Text before the history. Short or empty for tiny models: they read it every time."""
        separator: str = ","
        """Text between two items. Without spaces: one beside a new token is a token of its own. Identifiers
        of one length need none: with "" there are fewer tokens to read."""
        history: str = IDENTIFIER
        """How items of the history are written: `identifier`, or the name of an item field."""
        target: str = IDENTIFIER
        """How the answer is written: `identifier`, or the name of an item field."""
        max_per_user: int | None = Field(None, gt=0)
        """Most samples of one user, the newest; all by default."""

        @model_validator(mode="after")
        def _separated(self) -> Self:
            if not self.separator and self.history != IDENTIFIER:
                raise ValueError(
                    f"`{self.history}` of one item would run into that of the next: write a separator"
                )
            return self

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, users in row order, oldest target first."""
        if self.options.each == "user" and view.targets is None:
            yield from self._by_user(view)
            return
        for example in view.examples(newest=self.options.max_per_user):
            yield self._sample(example.history, example.target)

    def prompt(self, request: Request, catalogue: Catalogue) -> Sample:
        """The same layout without its answer."""
        return Sample(self._asked(request.history), answers=self.options.target)

    def _sample(self, history: tuple[int, ...], target: int) -> Sample:
        answer = Written(target, form=self.options.target, learn=True, turn="assistant")
        return Sample((*self._asked(history), answer), target=target, answers=self.options.target)

    def _by_user(self, view: View) -> Iterator[Sample]:
        """Windows of one item more than a history may have; neighbours share the item between them."""
        width = max(1, view.max_history)
        for _, sequence in view.sequences():
            items = sequence.tolist()
            ends = list(range(len(items), 1, -width))[: self.options.max_per_user]
            for end in reversed(ends):
                window = tuple(items[max(0, end - width - 1) : end])
                yield Sample(
                    (*self._told(), self._listed(window, learn=True)),
                    target=window[-1],
                    answers=self.options.target,
                )

    def _asked(self, history: tuple[int, ...]) -> tuple[Segment, ...]:
        if not history:
            return self._told()
        gap = Text(self.options.separator, turn=self._turn)
        return (*self._told(), self._listed(history, learn=False), gap)

    def _told(self) -> tuple[Segment, ...]:
        return (Text(self.options.instruction),) if self.options.instruction else ()

    def _listed(self, items: tuple[int, ...], learn: bool) -> History:
        form = self.options.history
        return History(items, form=form, separator=self.options.separator, learn=learn, turn=self._turn)

    @property
    def _turn(self) -> Turn:
        return "assistant" if self.options.each == "user" else "user"
