"""Trainer: makes a model better."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.model import LanguageModel
from genrec_core.contracts.options import Options
from genrec_core.contracts.views import Training


@dataclass(frozen=True)
class Trained:
    """What training gives back.

    Attributes:
        model: the model to hand on: the best by validation where the trainer selects, else the last.
        identifiers: new identifiers where the trainer learns them too, None otherwise.
        curves: name → (step, value) points, for the report.
    """

    model: LanguageModel
    identifiers: Identifiers | None = None
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class Trainer(Component):
    """Trains a model on corpora. It selects on validation rows only; test rows never reach it."""

    kind: ClassVar[str] = "trainer"
    learns_identifiers: ClassVar[bool] = False
    """Whether `Trained.identifiers` may be set; the plan must know before anything runs, because every
    later stage then reads them."""

    class Options(Options):
        """Options of every trainer."""

        corpora: tuple[Corpus, ...] = ()
        """The tasks to learn, mixed by weight."""

    @abstractmethod
    def train(
        self, model: LanguageModel, catalogue: Catalogue, training: Training, context: Context
    ) -> Trained:
        """A trained model.

        Kept checkpoints go into `context.workspace`; with the same arguments a run that was killed and
        resumed there must give the same result as one that was not.
        """
