"""Baseline: a recommender of another kind, to stand in the same table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from genrec_core.contracts.candidates import Ranked
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training


class Baseline(Component):
    """Fits on the training view and ranks items directly, without identifiers or a language model."""

    kind: ClassVar[str] = "baseline"

    @abstractmethod
    def rank(
        self, items: Items, training: Training, requests: Sequence[Request], k: int, context: Context
    ) -> Iterator[Ranked]:
        """The best k items for each request, in order; fewer only when the catalogue is smaller."""
