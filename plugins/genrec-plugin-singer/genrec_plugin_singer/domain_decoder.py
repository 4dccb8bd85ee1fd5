"""A decoder that writes items of one domain only: the catalogue's tries, restricted.

Prompts still show any item, since only what may be answered is restricted. Restricting a compiled trie sorts
nothing again, so a decoder a domain costs little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec_core import Catalogue
from genrec_core.contracts.samples import IDENTIFIER
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.models.model import Model


class DomainDecoder(Decoder):
    """Constrained generation over a part of a catalogue.

    Args:
        model: writes.
        catalogue: gives every item's texts.
        settings: how to search.
        keep: bool [N], the items that may be answered.
    """

    def __init__(
        self, model: Model, catalogue: Catalogue, settings: DecoderSettings, keep: NDArray[np.bool_]
    ) -> None:
        super().__init__(model, catalogue, settings)
        self._keep = keep
        self._restricted: dict[tuple[str, str], Constraint] = {}

    def constraint(self, form: str = IDENTIFIER, stop_text: str = "") -> Constraint:
        """The compiled answers of the kept items in one form.

        Raises:
            GenrecError: no item is kept.
        """
        if (form, stop_text) not in self._restricted:
            trie = super().constraint(form, stop_text).trie.restrict(self._keep)
            self._restricted[form, stop_text] = Constraint(trie, self.head.weight.device)
        return self._restricted[form, stop_text]
