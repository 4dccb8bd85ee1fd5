"""Teaching the generator to write tags, before it has seen a recommender.

An ordinary fine-tuning: the prompt is what `Generator` asks about an item, the answer the item's tags.
Items without tags are left out; the text tokenizer's own tokens are all that is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genrec_core import Catalogue, Context, Corpus, ItemRef, Sample, Sequences, Training, View
from genrec_core.engine import SFTSettings
from genrec_plugin_idgenrec.generator import Generator


class Tagging(Corpus):
    """One sample for an item and an answer of its own: its metadata, and the tags to write."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self._generator = generator

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """Items with tags, in catalogue order, once for each row of tags."""
        for form in self._generator.tag_forms:
            for item in range(len(catalogue.items)):
                if catalogue.items.value(item, form):
                    answer = ItemRef(item, form=form, learn=True, turn="assistant")
                    yield Sample((*self._generator.asked([item]), answer), answer_form=form, task="tags")


def teach(generator: Generator, settings: SFTSettings, context: Context) -> None:
    """Fine-tune the generator's model, in place, on the tags that it was made with."""
    from genrec_core.engine import finetune

    nobody = View("valid", (), Sequences.of([]), np.zeros(0, dtype=np.int32), 0)
    training = Training(View("train", ("-",), Sequences.of([[]]), None, 0), nobody)
    finetune(generator.model, generator.catalogue, training, [Tagging(generator)], settings, context)
