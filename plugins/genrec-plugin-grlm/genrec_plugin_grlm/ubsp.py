"""`grlm/ubsp`: user behaviour sequence prediction, paper section 3.2, Eq. 2 and 3.

An item is written as x = its terms, then its title. The first item of a sequence is given, every later one is
learnt, terms and title, in one sample a user:

    Chosen by one person, oldest first:
    tent, dome, red, camper, light
    Dome tent, red
                                              ↓ learnt from here, separators excepted
    lantern, gas, camping, family, bright
    Gas lantern

What recommending asks is the same text up to and with the blank line behind the newest item, and what is
written then are terms alone. The line break behind them is learnt, so it says where they end; a search that
went on into titles would fill its beams with one item's terms and many titles.

    each: user      the paper's task; sequences longer than `max_history` + 1 are cut into windows
    each: prefix    next-item prediction (NIP of table 9): n − 1 samples of a user with n items, each with
                    one item to learn

Departures: the repository trains with the history as the assistant's turn and recommends with all of it in
the user's turn. Here both read the same, and in a chat the history, with its first item, opens the
assistant's turn (`each: user`). Validation learns the terms of its one target alone, which is what is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from genrec_plugin_sid.missing_text import Missing, usable
from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, History, Request, Sample, Text, View, Written
from genrec_core.contracts.samples import Segment, Turn

TASK = "user behaviour sequence"


class UBSP(Corpus):
    """The sequential recommendation task on items written as terms and title."""

    version = "1"
    seeded = False

    class Options(Corpus.Options):
        """How many samples a user gives, and how they are laid out."""

        each: Literal["user", "prefix"] = "user"
        """One sample for every user, or one for every prefix of a sequence (next-item prediction)."""
        instruction: str = "Chosen by one person, oldest first:\n"
        """Text before the history."""
        title: str = Field("title", min_length=1)
        """The item field written behind the terms."""
        between: str = Field("\n", min_length=1)
        """Text between terms and title. It ends the terms, so it must not be part of them."""
        separator: str = Field("\n\n", min_length=1)
        """Text between two items."""
        missing: Missing = "refuse"
        """What to do about items without a title: `refuse` them, or write their terms alone (`skip` the
        title) and log how many there are."""
        max_per_user: int | None = Field(None, gt=0)
        """Most samples of one user, the newest; all by default."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, users in row order, oldest target first."""
        usable(catalogue, (self.options.title,), self.options.missing, context)
        if view.targets is not None:
            for example in view.examples(newest=self.options.max_per_user):
                yield self._one(example.history, example.target, titled=False)
        elif self.options.each == "prefix":
            for example in view.examples(newest=self.options.max_per_user):
                yield self._one(example.history, example.target, titled=True)
        else:
            yield from self._by_user(view)

    def prompt(self, request: Request, catalogue: Catalogue) -> Sample:
        """All of the history, and the separator behind it."""
        return Sample(self._asked(request.history), task=TASK, closing=self.options.between)

    def _by_user(self, view: View) -> Iterator[Sample]:
        """Windows of one item more than a history may have; neighbours share the item between them."""
        width = max(1, view.max_history)
        for _, sequence in view.sequences():
            items = sequence.tolist()
            ends = list(range(len(items), 1, -width))[: self.options.max_per_user]
            for end in reversed(ends):
                window = tuple(items[max(0, end - width - 1) : end])
                segments = (*self._told(), self._listed(window, learn=True))
                yield Sample(segments, target=window[-1], task=TASK, closing=self.options.between)

    def _one(self, history: tuple[int, ...], target: int, titled: bool) -> Sample:
        """One target behind its history; without its title the sample does not end, it only breaks off."""
        learnt: list[Segment] = [
            Written(target, learn=True, turn="assistant"),
            Text(self.options.between, learn=True, turn="assistant"),
        ]
        if titled:
            learnt.append(Written(target, form=self.options.title, learn=True, turn="assistant"))
        return Sample(
            (*self._asked(history), *learnt),
            target=target,
            task=TASK,
            ends=titled,
            closing=self.options.between,
        )

    def _asked(self, history: tuple[int, ...]) -> tuple[Segment, ...]:
        if not history:
            return self._told()
        gap = Text(self.options.separator, turn=self._turn)
        return (*self._told(), self._listed(history, learn=False), gap)

    def _told(self) -> tuple[Segment, ...]:
        return (Text(self.options.instruction),) if self.options.instruction else ()

    def _listed(self, items: tuple[int, ...], learn: bool) -> History:
        return History(
            items,
            separator=self.options.separator,
            learn=learn,
            turn=self._turn,
            field=self.options.title,
            between=self.options.between,
        )

    @property
    def _turn(self) -> Turn:
        return "assistant" if self.options.each == "user" else "user"
