"""SearchValidation: recall and NDCG at 10, by the beam search that recommends, on the same rows every time.

Ranks are of items, as in evaluation: items that share an answer are expanded in catalogue order, and every
row counts, also one whose target was not found. No test row can be among them: training code has none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genrec_core.contracts.candidates import Candidate
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.decoding.decoder import Decoder
from genrec_core.engine.decoding.thoughts import ThinkSettings, think_then_beam
from genrec_core.engine.training.best_tracker import top_figures


def evenly(count: int, most: int) -> list[int]:
    """At most so many rows of `count`, evenly chosen: the same ones every time."""
    if count <= most:
        return list(range(count))
    return [int(place) for place in np.linspace(0, count - 1, most)]


class SearchValidation:
    """A fixed sample of validation rows.

    Args:
        samples: each with its target.
        decoder: searches under the weights as they are.
        thinking: how to think before each search; None searches at once.
    """

    def __init__(
        self, samples: Sequence[Sample], decoder: Decoder, thinking: ThinkSettings | None = None
    ) -> None:
        self.samples, self._decoder, self._thinking = tuple(samples), decoder, thinking
        self._items: dict[str, dict[str, list[int]]] = {}

    def metrics(self) -> dict[str, float]:
        """`recall@10` and `ndcg@10`."""
        self._decoder.weights_changed()
        if self._thinking is None:
            answers = self._decoder.candidates(self.samples)
        else:
            answers = think_then_beam(self._decoder, self.samples, self._thinking)
        return top_figures(
            [
                self.rank(candidates.beams, sample)
                for sample, candidates in zip(self.samples, answers, strict=True)
            ]
        )

    def rank(self, beams: Sequence[Candidate], sample: Sample) -> int | None:
        """The 0-based place of the sample's target among the items that beams reach, None if it is not."""
        before = 0
        for beam in beams:
            items = list(beam.items) or self._reached(beam, sample.answer_form)
            if sample.target in items:
                return before + items.index(sample.target)
            before += len(items)
        return None

    def _reached(self, beam: Candidate, form: str) -> list[int]:
        """Items that an answer names, in catalogue order."""
        catalogue = self._decoder.catalogue
        if form == IDENTIFIER:
            return [int(item) for item in catalogue.identifiers.items_of(beam.tokens)]
        if form not in self._items:
            named: dict[str, list[int]] = {}
            for item, text in enumerate(catalogue.answers(form)):
                named.setdefault(text, []).append(item)
            self._items[form] = named
        return self._items[form].get(beam.text, [])
