"""`singer/domain-beam`: constrained beam search that answers each request from its own domain.

A request says of which domain the next item is (`singer/unseen-domain` and `core/domain-last` set it). Items
of other domains cannot be written then, as in the paper's unseen-domain study, where the unseen catalogue is
the dictionary of decoding. A request without a domain is answered from the whole catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, GenrecError, LanguageModel, Request
from genrec_core.builtin.beam import Beam, BeamSession

if TYPE_CHECKING:
    from genrec_core.engine import Decoder


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
        """A session of `core/beam` that knows which items are of which domain."""
        items, field = catalogue.items, self.options.field
        # Whose items have no such field is asked for no domain, or refused by name when it is.
        known = field in items.fields
        domains = np.array([items.value(item, field) for item in range(len(items))] if known else [])
        return DomainBeamSession(self.decoder(models, catalogue, context), prompts["main"], context, domains)


class DomainBeamSession(BeamSession):
    """Beam search over the items of each request's domain.

    Args:
        decoder: searches.
        prompt: the task that writes prompts.
        context: progress.
        domains: of each item, str [N]; empty when items have no domain.
    """

    def __init__(
        self, decoder: Decoder, prompt: Corpus, context: Context, domains: np.ndarray[Any, Any]
    ) -> None:
        super().__init__(decoder, prompt, context)
        self._domains, self._items = domains, dict[str, frozenset[int]]()

    def allowed(self, request: Request) -> frozenset[int] | None:
        """The items of the request's domain that it allows; all that it allows where it names none.

        Raises:
            GenrecError: no item is of that domain.
        """
        if not request.domain:
            return request.only
        if request.domain not in self._items:
            found = np.flatnonzero(self._domains == request.domain).tolist() if len(self._domains) else []
            if not found:
                raise GenrecError(
                    f"domain `{request.domain}` leaves no item to recommend",
                    hint="`field` names the item field that holds an item's domain",
                )
            self._items[request.domain] = frozenset(found)
        domain = self._items[request.domain]
        return domain if request.only is None else domain & request.only
