"""`singer/domain-beam`: constrained beam search that answers each request from its own domain.

A request says of which domain the next item is (`singer/unseen-domain` and `core/domain-last` set it). Items
of other domains cannot be written then, as in the paper's unseen-domain study, where the judged catalogue is
the dictionary of decoding. A request without a domain is answered from the whole catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, cast

import numpy as np
from pydantic import Field

from genrec_core import Candidates, Catalogue, Context, Corpus, LanguageModel, Request
from genrec_core.builtin.beam import Beam

if TYPE_CHECKING:
    from genrec_core.engine.decoding.decoder import Decoder
    from genrec_core.engine.models.model import Model

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

    def recommend(
        self,
        models: Mapping[str, LanguageModel],
        requests: Sequence[Request],
        catalogue: Catalogue,
        prompt: Corpus,
        context: Context,
    ) -> Iterator[Candidates]:
        """Candidates in the order of the requests.

        Raises:
            DataError: items have no such field.
            GenrecError: a request names a domain that no item has.
        """
        model = cast("Model", models["main"])
        decoders: dict[str, Decoder] = {}
        remaining = iter(requests)
        with context.progress("recommend", len(requests)) as advance:
            while window := list(islice(remaining, _WINDOW)):
                answers: dict[int, Candidates] = {}
                for domain in dict.fromkeys(request.domain for request in window):
                    if domain not in decoders:
                        decoders[domain] = self._decoder(model, catalogue, domain)
                    places = [place for place, request in enumerate(window) if request.domain == domain]
                    samples = [prompt.prompt(window[place], catalogue) for place in places]
                    answers.update(zip(places, decoders[domain].candidates(samples), strict=True))
                for place in range(len(window)):
                    yield answers[place]
                    advance(1)

    def _decoder(self, model: Model, catalogue: Catalogue, domain: str) -> Decoder:
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
        from genrec_plugin_singer.domain_decoder import DomainDecoder

        options = self.options
        settings = DecoderSettings(
            options.beams, options.search, options.scoring or model.scoring, options.batch_tokens
        )
        if not domain:
            return Decoder(model, catalogue, settings)
        items = catalogue.items
        keep = np.array([items.value(item, options.field) == domain for item in range(len(items))])
        return DomainDecoder(model, catalogue, settings, keep)
