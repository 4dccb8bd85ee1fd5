"""core/next-item: given what a user chose so far, write the next item.

One layout (`item_sequences`) serves training and recommending: instruction, history, separator, answer. Items
are written as identifiers or as any item field, on either side.

`each: user` has far fewer tokens for the same targets than `each: prefix`. It is for causal models only, and
for identifiers of one length only: an identifier inside the history is followed by the separator, not by the
end of text, so a model cannot learn there where an identifier ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import model_validator

from genrec_core.builtin.item_sequences import ItemSequences
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.samples import IDENTIFIER, History, ItemRef, Sample
from genrec_core.contracts.views import Request, View


class NextItem(ItemSequences):
    """The sequential recommendation task."""

    class Options(ItemSequences.Options):
        """How the task is worded."""

        separator: str = ","
        """Text between two items. Without spaces: one beside a new token is a token of its own. Identifiers
        of one length need none: with "" there are fewer tokens to read."""
        history: str = IDENTIFIER
        """How items of the history are written: `identifier`, or the name of an item field."""
        target: str = IDENTIFIER
        """How the answer is written: `identifier`, or the name of an item field."""

        @model_validator(mode="after")
        def _separated(self) -> Self:
            if not self.separator and self.history != IDENTIFIER:
                raise ValueError(
                    f"`{self.history}` of one item would run into that of the next: write a separator"
                )
            return self

    options: Options

    def refuse_items(self, items: Items) -> None:
        """Items have the fields that histories and answers are written by."""
        for option, form in (("history", self.options.history), ("target", self.options.target)):
            if form != IDENTIFIER and form not in items.fields:
                hint = f"write `identifier`, or a field: {', '.join(items.fields) or 'there are none'}"
                raise GenrecError(f"`{option}: {form}` is no field of items", hint=hint)

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, users in row order, oldest target first."""
        if self.options.each == "user" and view.targets is None:
            for window in self.windows(view):
                segments = (*self.instruction(), self.listed(window, learn=True))
                yield Sample(segments, target=window[-1], answer_form=self.options.target)
            return
        for example in view.examples(newest=self.options.max_per_user):
            yield self._sample(example.history, example.target)

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The same layout without its answer."""
        return Sample(self.asked(request.history), answer_form=self.options.target)

    def _sample(self, history: tuple[int, ...], target: int) -> Sample:
        answer = ItemRef(target, form=self.options.target, learn=True, turn="assistant")
        return Sample((*self.asked(history), answer), target=target, answer_form=self.options.target)

    def listed(self, items: tuple[int, ...], learn: bool) -> History:
        """Items in their form, one after another."""
        form = self.options.history
        return History(items, form=form, separator=self.options.separator, learn=learn, turn=self.turn)
