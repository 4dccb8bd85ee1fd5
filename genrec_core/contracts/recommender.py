"""Recommender: histories to candidate identifiers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.model import LanguageModel
from genrec_core.contracts.options import Options
from genrec_core.contracts.views import Request


class Recommender(Component):
    """Generates identifiers with one model (slot `main`) or several."""

    kind: ClassVar[str] = "recommender"

    class Options(Options):
        """Options of every recommender."""

        prompt: Corpus | None = None
        """The task whose prompt is used; by default the first corpus of the last training step."""

    slots: ClassVar[tuple[str, ...]] = ("main",)
    """Model slots this recommender reads."""

    @abstractmethod
    def recommend(
        self,
        models: Mapping[str, LanguageModel],
        requests: Sequence[Request],
        catalogue: Catalogue,
        prompt: Corpus,
        context: Context,
    ) -> Iterator[Candidates]:
        """One answer a request, in order, yielded as they are ready; seen items are not filtered here."""
