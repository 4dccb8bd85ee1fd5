"""core/free-beam: beam search without a constraint, for identifiers made of plain words.

What is written need not be any item's identifier; a grounder that can do more than look up has to map it. The
valid rate at k (`vr@k`) says how often it was one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import operational
from genrec_core.contracts.recommender import Recommender, RecommenderSession, excluding
from genrec_core.contracts.views import Request

if TYPE_CHECKING:
    from genrec_core.engine.decoding.free_beam import FreeDecoder


class FreeBeam(Recommender):
    """Writes the likeliest texts; a text ends with the task's own closing text or the end of text."""

    needs = ("torch", "transformers")
    seeded = False

    class Options(Recommender.Options):
        """Options of free beam search."""

        beams: int = Field(default=20, ge=1, le=100_000)
        """Texts kept at every step and returned."""
        max_tokens: int = Field(default=30, ge=1, le=100_000)
        """Most tokens of a text. What is cut off here is handed on as it stands, and counted."""
        batch_tokens: int = operational(16384, "Prompt and beam tokens computed together.", ge=1)

    options: Options

    def most_candidates(self) -> int:
        """As many as beams."""
        return self.options.beams

    def reaching(self, count: int) -> Self:
        """With `count` beams at least."""
        return self if count <= self.options.beams else self.with_options(beams=count)

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> FreeBeamSession:
        """A session that writes freely."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.free_beam import FreeDecoder, FreeDecoderSettings
        from genrec_core.engine.models.model import Model

        options = self.options
        settings = FreeDecoderSettings(options.beams, options.max_tokens, options.batch_tokens)
        decoder = FreeDecoder(Model.of(models["main"]), catalogue, settings)
        return FreeBeamSession(decoder, prompts["main"], context)


class FreeBeamSession(RecommenderSession):
    """Unconstrained beam search of one model.

    Args:
        decoder: searches.
        prompt: the task that writes prompts.
        context: progress, and a log of how many texts were cut off.
    """

    def __init__(self, decoder: FreeDecoder, prompt: Corpus, context: Context) -> None:
        self._decoder, self._prompt, self._context = decoder, prompt, context

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """Candidates in the order of the requests."""
        catalogue, context, cut = self._decoder.catalogue, self._context, 0
        samples = (self._prompt.prompt(request, catalogue, context) for request in requests)
        with context.progress("recommend", len(requests)) as advance:
            for request, answer in zip(requests, self._decoder.candidates(samples), strict=True):
                cut += answer.phases["cut"]
                yield excluding(answer, request, catalogue)
                advance(1)
        context.log("free-beam", cut=cut, requests=len(requests))
