"""`singer/domain-beam`: constrained beam search that answers each request from its own domain.

A request says of which domain the next item is (`singer/unseen-domain` and `core/domain-last` set it). Items
of other domains cannot be written then, as in the paper's unseen-domain study, where the judged catalogue is
the dictionary of decoding. A request without a domain is answered from the whole catalogue.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from genrec_core import Candidates, Catalogue, Context, Corpus, LanguageModel, RecommenderSession, Request
from genrec_core.builtin.beam import Beam

if TYPE_CHECKING:
    from genrec_core.engine.decoding.decoder import Decoder

_WINDOW = 2048
"""Requests looked at together."""


class DomainBeam(Beam):
    """`core/beam` over the items of the request's domain."""

    version = "1"
    seeded = False

    class Options(Beam.Options):
        """Those of `core/beam`, and where an item's domain stands."""

        field: str = Field("domain", min_length=1)
        """The item field that names its domain."""

    options: Options

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> DomainBeamSession:
        """A session that compiles each domain's tries when it is first asked for."""
        return DomainBeamSession(self._decoders(models["main"], catalogue), prompts["main"], context)

    def _decoders(self, model: LanguageModel, catalogue: Catalogue) -> Callable[[str], Decoder]:
        """A function from a domain ("" for all items) to the decoder over its items."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
        from genrec_core.engine.models.model import Model
        from genrec_plugin_singer.domain_decoder import DomainDecoder

        options, own, items = self.options, Model.of(model), catalogue.items
        settings = DecoderSettings(
            options.beams, options.search, options.scoring or own.scoring, options.batch_tokens
        )

        @functools.cache
        def decoder(domain: str) -> Decoder:
            if not domain:
                return Decoder(own, catalogue, settings)
            keep = np.array([items.value(item, options.field) == domain for item in range(len(items))])
            return DomainDecoder(own, catalogue, settings, keep)

        return decoder


class DomainBeamSession(RecommenderSession):
    """Beam search over the items of each request's domain.

    Args:
        decoders: from a domain to its decoder.
        prompt: the task that writes prompts.
        context: progress.
    """

    def __init__(self, decoders: Callable[[str], Decoder], prompt: Corpus, context: Context) -> None:
        self._decoders, self._prompt, self._context = decoders, prompt, context

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """Candidates in the order of the requests.

        Raises:
            DataError: items have no such field.
            GenrecError: a request names a domain that no item has.
        """
        remaining = iter(requests)
        with self._context.progress("recommend", len(requests)) as advance:
            while window := list(islice(remaining, _WINDOW)):
                answers: dict[int, Candidates] = {}
                for domain in dict.fromkeys(request.domain for request in window):
                    decoder = self._decoders(domain)
                    places = [place for place, request in enumerate(window) if request.domain == domain]
                    samples = [
                        self._prompt.prompt(window[place], decoder.catalogue, self._context)
                        for place in places
                    ]
                    answers.update(zip(places, decoder.candidates(samples), strict=True))
                for place in range(len(window)):
                    yield answers[place]
                    advance(1)
