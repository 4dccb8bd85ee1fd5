"""core/beam: constrained beam search, the recommender to start with.

Every identifier it writes belongs to an item of the catalogue. `search: exhaustive` scores every
identifier instead of the best few, which is exact and affordable for small catalogues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from pydantic import Field

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.model import LanguageModel
from genrec_core.contracts.options import operational
from genrec_core.contracts.recommender import Recommender
from genrec_core.contracts.views import Request
from genrec_core.engine.choices import Scoring, Search

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class Beam(Recommender):
    """Writes the best identifiers by beam search over the compiled trie of the catalogue."""

    seeded = False

    class Options(Recommender.Options):
        """Options of constrained beam search."""

        beams: int = Field(default=20, ge=1)
        """Identifiers kept at every step and returned."""
        constraint: Literal["trie"] = "trie"
        """What may be written: only identifiers of the catalogue."""
        search: Search = "beam"
        """`exhaustive` scores every identifier instead of searching."""
        scoring: Scoring | None = None
        """`full`: log-probability under the whole vocabulary; `legal`: renormalised over legal tokens. By
        default what the model was trained with."""
        batch_tokens: int = operational(16384, "Prompt and beam tokens computed together.")

    options: Options

    def recommend(
        self,
        models: Mapping[str, LanguageModel],
        requests: Sequence[Request],
        catalogue: Catalogue,
        prompt: Corpus,
        context: Context,
    ) -> Iterator[Candidates]:
        """Candidates in the order of the requests."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings

        options, model = self.options, cast("Model", models["main"])
        scoring = options.scoring or model.scoring
        settings = DecoderSettings(options.beams, options.search, scoring, options.batch_tokens)
        decoder = Decoder(model, catalogue, settings)
        samples = (prompt.prompt(request, catalogue) for request in requests)
        with context.progress("recommend", len(requests)) as advance:
            for answer in decoder.candidates(samples):
                yield answer
                advance(1)
