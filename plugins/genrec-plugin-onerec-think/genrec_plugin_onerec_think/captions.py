"""`onerec-think/captions`: itemic dense captioning (OneRec-Think §4.1): from an item's tokens to what it is.

    user        What is <|item_begin|><item_a_3><item_b_1><|item_end|>?
    assistant   title: Red tent; category: Camping

The paper asks its aligned model such questions to show what it has understood (appendix A.2), so the task can
hold items back: `held_out` names the share of items that only validation asks about.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from pydantic import Field, field_validator

from genrec_core import Catalogue, Context, Corpus, GenrecError, ItemRef, Sample, Text, View
from genrec_core.contracts.samples import Segment
from genrec_plugin_onerec_think.next_item import only_field


class Captions(Corpus):
    """Items' fields told from their tokens."""

    version = "1"

    class Options(Corpus.Options):
        """Which fields, and in which words."""

        fields: dict[str, str] = Field({"title": "title: "}, min_length=1)
        """Item fields to tell, in this order, each with the text before it. An item is told what it has."""
        between: str = "; "
        """Text between two fields."""
        wording: str = "What is {item}?\n"
        """The question, around {item}."""
        system: str = ""
        """Text before everything else; the system's turn in a chat."""
        held_out: float = Field(0.0, ge=0, lt=1)
        """Share of items that only validation asks about, drawn by their ids."""

        @field_validator("wording")
        @classmethod
        def _with_an_item(cls, wording: str) -> str:
            return only_field(wording, "item")

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an item, in catalogue order; items without any of the fields are left out and counted.

        Raises:
            GenrecError: items have no such field.
        """
        training, silent = view.targets is None, 0
        absent = [field for field in self.options.fields if field not in catalogue.items.fields]
        if absent:
            raise GenrecError(
                f"items have no field `{absent[0]}` to tell",
                hint=f"fields are: {', '.join(catalogue.items.fields) or 'none'}",
            )
        for item, name in enumerate(catalogue.items.ids):
            if self._is_held_out(name) == training:
                continue
            told = tuple(self._told(item, catalogue))
            if told:
                yield Sample((*self.question(item), *told), target=item, answer_form="", task="captions")
            silent += not told
        if silent:
            context.log("skipped", form=", ".join(self.options.fields), items=silent)

    def question(self, item: int) -> tuple[Segment, ...]:
        """The prompt that asks about an item."""
        before, _, behind = self.options.wording.partition("{item}")
        begun = (Text(self.options.system, turn="system"),) if self.options.system else ()
        parts: tuple[Segment, ...] = (Text(before), ItemRef(item), Text(behind))
        return (*begun, *(part for part in parts if not isinstance(part, Text) or part.text))

    def caption(self, item: int, catalogue: Catalogue) -> str:
        """The right answer as text."""
        return "".join(
            part.text if isinstance(part, Text) else catalogue.write(part.item, part.form)
            for part in self._told(item, catalogue)
        )

    def _told(self, item: int, catalogue: Catalogue) -> Iterator[Text | ItemRef]:
        named: Mapping[str, str] = self.options.fields
        present = [field for field in named if catalogue.items.value(item, field)]
        for place, field in enumerate(present):
            gap = self.options.between if place else ""
            yield Text(gap + named[field], learn=True, turn="assistant")
            yield ItemRef(item, form=field, learn=True, turn="assistant")

    def _is_held_out(self, item_id: str) -> bool:
        """By the id alone, so that an item stays where it is when the catalogue grows."""
        return zlib.crc32(item_id.encode()) < self.options.held_out * 2**32
