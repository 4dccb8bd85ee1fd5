"""`grlm/similar-items`: an item in, the items that the same users chose out.

The authors' repository has a third task beside the paper's two: items that a SASRec model finds similar are
recommended to each other, which raises Recall@5 on Beauty from 0.0607 to 0.0664 there. Until when that SASRec
saw interactions is not said. Here similarity is the cosine of two items over the users of the training view,
which cannot know a later one.

    item A: tent, …     →     lantern, …⏎sleeping-bag, …⏎stove, …
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, ItemRef, Sample, Text, View
from genrec_core.builtin.item_knn import ItemKNN
from genrec_core.contracts.samples import Segment


class SimilarItems(Corpus):
    """Maps an item to the items most often chosen with it in training."""

    version = "1"
    seeded = False

    class Options(Corpus.Options):
        """How many items are named, and how."""

        count: int = Field(3, ge=1)
        """Most items named, the most similar first; items with none give no sample."""
        instruction: str = "Items that people choose beside this one:\n"
        """Text before the item."""
        separator: str = Field("\n", min_length=1)
        """Text behind each item but the last; learnt behind those that are learnt."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an item that training shows beside another, in catalogue order; none for validation."""
        if view.targets is not None:
            return
        options = self.options
        similar = ItemKNN(neighbours=options.count).neighbours(view, len(catalogue.items))
        for item in range(len(catalogue.items)):
            inside = slice(similar.indptr[item], similar.indptr[item + 1])
            order = np.lexsort((similar.indices[inside], -similar.data[inside]))
            named = similar.indices[inside][order].tolist()
            if named:
                yield self._sample(item, named)

    def _sample(self, item: int, named: list[int]) -> Sample:
        gap = self.options.separator
        segments: list[Segment] = [Text(self.options.instruction)] if self.options.instruction else []
        segments += [ItemRef(item), Text(gap)]
        for place, other in enumerate(named):
            if place:
                segments.append(Text(gap, learn=True, turn="assistant"))
            segments.append(ItemRef(other, learn=True, turn="assistant"))
        return Sample(tuple(segments), target=named[0], answer_form="", task="similar items")
