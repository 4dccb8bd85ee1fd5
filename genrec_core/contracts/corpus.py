"""Corpus: training tasks out of a view."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import Sample
from genrec_core.contracts.views import Request, View


class Corpus(Component):
    """Builds samples. Options of every corpus: `weight`, the share of its samples in the mixture."""

    kind: ClassVar[str] = "corpus"

    class Options(Component.Options):
        """Options of every corpus."""

        weight: float = Field(default=1.0, ge=1e-6, le=1e6)
        """How often each sample is drawn an epoch: 0.5 takes a fresh random half, 2.0 takes all twice."""

    @abstractmethod
    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples of a view, in an order that depends only on the arguments."""

    def prompt(self, request: Request, catalogue: Catalogue, context: Context) -> Sample:
        """The sample without its answer, for recommending.

        It must render to the same bytes as the prompt of the training sample with the same history.

        Raises:
            GenrecError: this corpus is no recommendation task.
        """
        raise GenrecError(
            f"corpus `{self.name}` is no recommendation task, so it cannot write the prompt to recommend by",
            hint="name one that is: recommend: {prompt: {use: core/next-item}}",
        )
