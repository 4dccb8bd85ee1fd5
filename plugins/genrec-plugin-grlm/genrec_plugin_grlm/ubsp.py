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
    title: null     terms alone: a third of the tokens, for models too small to gain from reading titles

Departures: the repository trains with the history as the assistant's turn and recommends with all of it in
the user's turn. Here both read the same, and in a chat the history, with its first item, opens the
assistant's turn (`each: user`). Validation learns the terms of its one target alone: they are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from genrec_plugin_sid.missing_text import Missing, usable
from pydantic import Field, model_validator

from genrec_core import Catalogue, Context, History, ItemRef, Request, Sample, Text, View
from genrec_core.builtin.item_sequences import ItemSequences
from genrec_core.contracts.samples import Segment

TASK = "user behaviour sequence"


class UBSP(ItemSequences):
    """The sequential recommendation task on items written as terms and title."""

    version = "1"
    seeded = False

    class Options(ItemSequences.Options):
        """How many samples a user gives, and how they are laid out."""

        each: Literal["user", "prefix"] = "user"
        """One sample for every user, or one for every prefix of a sequence (next-item prediction)."""
        instruction: str = "Chosen by one person, oldest first:\n"
        """Text before the history."""
        title: str | None = Field("title", min_length=1)
        """The item field written behind the terms; null for none."""
        between: str = Field("\n", min_length=1)
        """Text behind the terms, before the title. It ends the terms, so it must not be part of them."""
        separator: str = "\n\n"
        """Text between two items; it may be empty where titles are not written."""
        missing: Missing = "refuse"
        """What to do about items without a title: `refuse` them, or write their terms alone (`skip` the
        title) and log how many there are."""

        @model_validator(mode="after")
        def _separated(self) -> Self:
            if not self.separator and self.title is not None:
                raise ValueError("a title would run into the next item's terms: write a separator")
            return self

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, users in row order, oldest target first."""
        if self.options.title is not None:
            usable(catalogue, (self.options.title,), self.options.missing, context)
        if view.targets is not None:
            for example in view.examples(newest=self.options.max_per_user):
                yield self._one(example.history, example.target, titled=False)
        elif self.options.each == "prefix":
            for example in view.examples(newest=self.options.max_per_user):
                yield self._one(example.history, example.target, titled=True)
        else:
            for window in self.windows(view):
                segments = (*self.instruction(), self.listed(window, learn=True))
                yield self._sample(segments, window[-1], ends=True)

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """All of the history, and the separator behind it."""
        return Sample(self.asked(request.history), task=TASK, stop_text=self.options.between)

    def _one(self, history: tuple[int, ...], target: int, titled: bool) -> Sample:
        """One target behind its history; without its title the sample does not end, it only breaks off."""
        learnt: list[Segment] = [
            ItemRef(target, learn=True, turn="assistant"),
            Text(self.options.between, learn=True, turn="assistant"),
        ]
        if titled and self.options.title is not None:
            learnt.append(ItemRef(target, form=self.options.title, learn=True, turn="assistant"))
        return self._sample((*self.asked(history), *learnt), target, ends=titled)

    def _sample(self, segments: tuple[Segment, ...], target: int, ends: bool) -> Sample:
        ends = ends and self.options.title is not None
        return Sample(segments, target=target, task=TASK, append_eos=ends, stop_text=self.options.between)

    def listed(self, items: tuple[int, ...], learn: bool) -> History:
        """Terms of each item, and its title if it is written."""
        return History(
            items,
            separator=self.options.separator,
            learn=learn,
            turn=self.turn,
            field=self.options.title or "",
            between=self.options.between,
        )
