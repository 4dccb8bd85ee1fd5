"""`grlm/gti`: generative term internalisation, paper section 3.2: an item's metadata in, its terms out.

The model sees the item alone, without the neighbours that the terms were made with, so it has to learn what
they were chosen by.

    direction: to-terms       Meta2TIDs, the paper's task
    direction: to-metadata    TIDs2Meta of table 9: terms in, metadata out

Items are asked about once each. Fields that an item lacks are left out of its sample; an item that lacks all
of them is refused or skipped. Validation asks about none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from genrec_plugin_sid.missing_text import Missing
from pydantic import Field, field_validator

from genrec_core import Catalogue, Context, Corpus, DataError, ItemRef, Sample, Text, View
from genrec_core.contracts.errors import examples
from genrec_core.contracts.samples import IDENTIFIER, Segment, Turn

WORDINGS = {
    "to-terms": "What terms is this item known by?\n",
    "to-metadata": "Which item is known by these terms?\n",
}
"""Direction → instruction."""
TERMS = "terms"
"""What identifiers are called in the text."""


class GTI(Corpus):
    """Maps an item's metadata to its terms, or its terms to its metadata."""

    version = "1"
    seeded = False

    class Options(Corpus.Options):
        """What is shown and what is learnt."""

        direction: Literal["to-terms", "to-metadata"] = "to-terms"
        """Metadata shown and terms learnt, or the other way round."""
        fields: tuple[str, ...] = Field(("title",), min_length=1)
        """The metadata, in order. The paper uses title and description. A field that holds the terms
        themselves would give the answer away."""
        instruction: str | None = None
        """Text before everything else; by default a question that fits the direction."""
        items: Literal["all", "seen"] = "all"
        """`all` items of the catalogue, or only those that the view's interactions show (`seen`)."""
        missing: Missing = "refuse"
        """What to do about items without any of the fields: `refuse` them, or `skip` and count them."""

        @field_validator("fields")
        @classmethod
        def _no_identifier(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
            if IDENTIFIER in fields or len(set(fields)) < len(fields):
                raise ValueError("name item fields, each once; `identifier` is what they are mapped to")
            return fields

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an item, in catalogue order.

        Raises:
            DataError: items have none of the fields and `missing` is `refuse`, or nobody has one.
        """
        if view.targets is not None:
            return
        texts = {field: catalogue.answers(field) for field in self.options.fields}
        held = [tuple(f for f in texts if texts[f][item]) for item in range(len(catalogue.items))]
        self._refuse(held, catalogue, context)
        asked = np.unique(view.rows.values).tolist() if self.options.items == "seen" else range(len(held))
        for item in asked:
            if held[item]:
                yield self._sample(item, held[item])

    def _refuse(self, held: list[tuple[str, ...]], catalogue: Catalogue, context: Context) -> None:
        absent = [item for item, fields in enumerate(held) if not fields]
        if absent and (self.options.missing == "refuse" or len(absent) == len(held)):
            named = examples(catalogue.items.ids[item] for item in absent)
            fields = "`, `".join(self.options.fields)
            raise DataError(
                f"{len(absent):,} of {len(held):,} items have no `{fields}`: {named}",
                hint="fill the field in, name another, or leave such items out with `missing: skip`",
            )
        if absent:
            context.log("skipped", form=", ".join(self.options.fields), items=len(absent))

    def _sample(self, item: int, fields: tuple[str, ...]) -> Sample:
        to_terms = self.options.direction == "to-terms"
        terms, metadata = ((TERMS, IDENTIFIER),), tuple((field, field) for field in fields)
        shown, learnt = (metadata, terms) if to_terms else (terms, metadata)
        instruction = self.options.instruction
        question = WORDINGS[self.options.direction] if instruction is None else instruction
        segments: list[Segment] = [Text(question)] if question else []
        for label, form in shown:
            segments += [Text(f"{label}: "), ItemRef(item, form=form), Text("\n")]
        for place, (label, form) in enumerate(learnt):
            # The first label asks, so it is given; the others are part of the answer.
            turn: Turn = "assistant" if place else "user"
            segments.append(Text("\n" * bool(place) + f"{label}: ", learn=bool(place), turn=turn))
            segments.append(ItemRef(item, form=form, learn=True, turn="assistant"))
        forms = [form for _, form in learnt]
        return Sample(
            tuple(segments),
            target=item,
            answer_form=forms[0] if len(forms) == 1 else "",
            task="metadata to terms" if to_terms else "terms to metadata",
        )
