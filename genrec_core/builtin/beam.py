"""core/beam: constrained beam search, the recommender to start with.

Every identifier it writes belongs to an item of the catalogue. `search: exhaustive` scores every
identifier instead of the best few, which is exact and affordable for small catalogues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.model import LanguageModel
from genrec_core.contracts.options import operational
from genrec_core.contracts.recommender import Recommender, RecommenderSession
from genrec_core.contracts.views import Request
from genrec_core.engine.choices import Scoring, Search

if TYPE_CHECKING:
    from genrec_core.engine.decoding.decoder import Decoder


class Beam(Recommender):
    """Writes the best identifiers by beam search over the compiled trie of the catalogue."""

    seeded = False

    class Options(Recommender.Options):
        """Options of constrained beam search."""

        beams: int = Field(default=20, ge=1, le=100_000)
        """Identifiers kept at every step and returned."""
        constraint: Literal["trie"] = "trie"
        """What may be written: only identifiers of the catalogue."""
        search: Search = "beam"
        """`exhaustive` scores every identifier instead of searching."""
        scoring: Scoring | None = None
        """`full`: log-probability under the whole vocabulary; `legal`: renormalised over legal tokens. By
        default what the model was trained with."""
        batch_tokens: int = operational(16384, "Prompt and beam tokens computed together.", ge=1)

    options: Options

    def most_candidates(self) -> int:
        """As many as beams."""
        return self.options.beams

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> BeamSession:
        """A session whose tries are compiled when they are first needed, and then kept."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
        from genrec_core.engine.models.model import Model

        options, model = self.options, Model.of(models["main"])
        scoring = options.scoring or model.scoring
        settings = DecoderSettings(options.beams, options.search, scoring, options.batch_tokens)
        return BeamSession(Decoder(model, catalogue, settings), prompts["main"], context)


class BeamSession(RecommenderSession):
    """Constrained beam search of one model over one catalogue.

    Args:
        decoder: searches, and keeps the compiled tries.
        prompt: the task that writes prompts.
        context: progress.
    """

    def __init__(self, decoder: Decoder, prompt: Corpus, context: Context) -> None:
        self._decoder, self._prompt, self._context = decoder, prompt, context

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """Candidates in the order of the requests."""
        catalogue, context = self._decoder.catalogue, self._context
        samples = (self._prompt.prompt(request, catalogue, context) for request in requests)
        with context.progress("recommend", len(requests)) as advance:
            for answer in self._decoder.candidates(samples):
                yield answer
                advance(1)
