"""`sid/item-text`: what an item is called, from what it is like, and the other way round.

One corpus for all tasks between an item's identifier and its texts; field names are options, and any kind of
identifier will do:

    given: title, answer: identifier          the title is shown, the identifier is learnt
    given: identifier, answer: title          the other way round
    given: description, answer: identifier

An item task has no history, so it is no task to recommend by. Training asks about every item of the catalogue
once, or about every item that its sequences show (`items: seen`). Validation asks about none, unless
`held_out` keeps a share of the items for it, the same items whatever the seed: then training never says what
these are called, and validation asks. Two items with one title are two samples, each with its own truth.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from genrec_core import Catalogue, Context, Corpus, ItemRef, Sample, Text, View
from genrec_core.contracts.samples import IDENTIFIER
from genrec_plugin_sid.missing_text import Missing, usable
from genrec_plugin_sid.wording import check_wordings, variant, worded


class ItemText(Corpus):
    """Maps one way of writing an item to another."""

    version = "1"
    seeded = False

    class Options(Corpus.Options):
        """What is shown, what is learnt, and how the question is worded."""

        given: str = Field("title", min_length=1)
        """How the item is shown: `identifier`, or the name of an item field."""
        answer: str = Field(IDENTIFIER, min_length=1)
        """How the answer is written: `identifier`, or the name of an item field."""
        items: Literal["all", "seen"] = "all"
        """`all` items of the catalogue, or only those that the view's interactions show (`seen`), so that
        nothing is learnt about cold items."""
        wordings: tuple[str, ...] = Field(
            ("The {given} of an item is: {item}\nIts {answer} is: ",), min_length=1
        )
        """Templates around {item}; {given} and {answer} become the names of the two forms. Of several, each
        item gets one, always the same."""
        system: str = ""
        """Text before everything else; the system's turn in a chat."""
        missing: Missing = "refuse"
        """What to do about items that lack a field: `refuse` them, or `skip` them and log how many."""
        held_out: float = Field(0.0, ge=0, lt=1)
        """Share of items that only validation asks about."""

        @field_validator("wordings")
        @classmethod
        def _with_an_item(cls, wordings: tuple[str, ...]) -> tuple[str, ...]:
            return check_wordings(wordings, "item")

        @model_validator(mode="after")
        def _two_forms(self) -> ItemText.Options:
            if self.given == self.answer:
                raise ValueError(f"`given` and `answer` are both `{self.given}`: there is nothing to learn")
            return self

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an item, in catalogue order."""
        options = self.options
        masks = usable(catalogue, (options.given, options.answer), options.missing, context)
        asked = masks[options.given] & masks[options.answer]
        if options.items == "seen":
            asked &= _seen(view, len(catalogue.items))
        asked_in_training = view.targets is None
        for item in np.flatnonzero(asked).tolist():
            if self._is_held_out(catalogue.items.ids[item]) != asked_in_training:
                yield self._sample(item)

    def _is_held_out(self, item_id: str) -> bool:
        """By the id alone, so that an item stays where it is when the catalogue grows."""
        return zlib.crc32(item_id.encode()) < self.options.held_out * 2**32

    def _sample(self, item: int) -> Sample:
        options = self.options
        names = {"given": options.given, "answer": options.answer}
        shown = ItemRef(item, form=options.given)
        asked = worded(variant(options.wordings, (item,)), shown, names)
        told = (Text(options.system, turn="system"),) if options.system else ()
        learnt = ItemRef(item, form=options.answer, learn=True, turn="assistant")
        return Sample(
            (*told, *asked, learnt),
            target=item,
            answer_form=options.answer,
            task=f"{options.given} to {options.answer}",
        )


def _seen(view: View, count: int) -> NDArray[np.bool_]:
    """Which of `count` items a view shows, in histories or as targets."""
    seen = np.zeros(count, dtype=bool)
    seen[view.rows.values] = True
    if view.targets is not None:
        seen[view.targets] = True
    return seen
