"""core/dense: every item ranked by the model's dense head alone, without writing identifiers.

The state that would begin to write an answer is scored against the row of every item: one matrix product,
exact, and no trie. Beside `core/beam` of the same model it says what the trie adds and what it does not. It
needs a model that was trained with `dense` in `core/sft`:

    train: {sft: {use: core/sft, corpora: [core/next-item], dense: {}}}
    recommend: {use: core/dense}

Inside `core/fused` it says what it thinks of all items, not only of the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.candidates import Candidates, best
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import operational
from genrec_core.contracts.recommender import Recommender, RecommenderSession
from genrec_core.contracts.views import Request

if TYPE_CHECKING:
    from genrec_core.engine.decoding.decoder import Decoder


class Dense(Recommender):
    """Ranks all items by the dense head that the model was trained with."""

    needs = ("torch", "transformers")
    seeded = False

    class Options(Recommender.Options):
        """How many items are answered."""

        items: int = Field(default=100, ge=1, le=100_000)
        """Items of an answer."""
        batch_tokens: int = operational(16384, "Prompt tokens computed together.", ge=1)

    options: Options

    def most_candidates(self) -> int:
        """As many as `items`."""
        return self.options.items

    def reaching(self, count: int) -> Self:
        """With `count` items at least."""
        return self if count <= self.options.items else self.with_options(items=count)

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> DenseSession:
        """A session.

        Raises:
            GenrecError: the model has no dense head.
        """
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
        from genrec_core.engine.models.model import Model

        settings = DecoderSettings(batch_tokens=self.options.batch_tokens, dense=1.0)
        decoder = Decoder(Model.of(models["main"]), catalogue, settings)
        return DenseSession(decoder, prompts["main"], self.options.items, context)


class DenseSession(RecommenderSession):
    """One model's dense head over one catalogue.

    Args:
        decoder: reads prompts.
        prompt: the task that writes them.
        items: how many are answered.
        context: progress.
    """

    def __init__(self, decoder: Decoder, prompt: Corpus, items: int, context: Context) -> None:
        self._decoder, self._prompt, self._items, self._context = decoder, prompt, items, context

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """The best items of each request, best first; those it does not allow are left out."""
        catalogue = self._decoder.catalogue
        with self._context.progress("recommend", len(requests)) as advance:
            for request, logits in zip(requests, self.logits(requests), strict=True):
                places = np.arange(len(logits), dtype=np.int32)
                places = places[request.allows(places)] if request.ruled else places
                top = places[best(logits[places], self._items)]
                yield Candidates(catalogue.named(top, logits[top]))
                advance(1)

    def logits(self, requests: Sequence[Request]) -> Iterator[NDArray[np.float32]]:
        """Log-probabilities of every item, float32 [N] for each request."""
        catalogue, context = self._decoder.catalogue, self._context
        samples = (self._prompt.prompt(request, catalogue, context) for request in requests)
        return self._decoder.item_scores(samples)
