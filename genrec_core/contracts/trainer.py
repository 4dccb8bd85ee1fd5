"""Trainer: makes models better.

Most trainers work on one model, in the slot `main`. One that needs several names them all in `slots`, and
those it gives back in `changes`:

    class Alternate(Trainer):
        slots = ("main", "writer")       # reads two models of the pipeline
        changes = ("main",)              # and gives back one

In a pipeline file a trainer's slot is filled by the pipeline's slot of the same name, or by the one that the
step names:

    train: {pair: {use: mine/alternate, from: {writer: teacher}}}
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from genrec_core.contracts.backbone import ModelSize
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import ContractError, examples
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import Options
from genrec_core.contracts.views import Training


@dataclass(frozen=True)
class Trained:
    """What training gives back.

    Attributes:
        models: trainer slot → model to hand on, one for each of `Trainer.changes`: the best by validation
            where the trainer selects, else the last.
        identifiers: new identifiers where the trainer learns them too, None otherwise.
        curves: name → (step, value) points, for the report.
    """

    models: Mapping[str, LanguageModel]
    identifiers: Identifiers | None = None
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def model(self) -> LanguageModel:
        """The model, where there is only one.

        Raises:
            ContractError: there are several.
        """
        if len(self.models) != 1:
            raise ContractError(f"training gave back {len(self.models)} models: {examples(self.models)}")
        return next(iter(self.models.values()))


class Trainer(Component):
    """Trains models on corpora. It selects on validation rows only; test rows never reach it."""

    kind: ClassVar[str] = "trainer"
    slots: ClassVar[tuple[str, ...]] = ("main",)
    """Models that it reads."""
    changes: ClassVar[tuple[str, ...] | None] = None
    """Those of them that it gives back; None for all."""
    needs_corpora: ClassVar[bool] = False
    """Whether it has nothing to learn without `corpora`; a pipeline that names none is then refused."""
    learns_identifiers: ClassVar[bool] = False
    """Whether `Trained.identifiers` may be set; the plan must know before anything runs, because every
    later stage then reads them."""

    class Options(Options):
        """Options of every trainer."""

        corpora: tuple[Corpus, ...] = ()
        """The tasks to learn, mixed by weight."""

    def memory(self, size: ModelSize) -> int | None:
        """Bytes for weights, gradients and the optimiser's state of the model it trains; None if unknown.

        Activations come on top. `genrec check` and `--explain` print it.
        """
        return None

    @abstractmethod
    def train(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        training: Training,
        context: Context,
    ) -> Trained:
        """The models it changed.

        Args:
            models: the model of every slot in `slots`; they may be trained in place.
            catalogue: the items and their identifiers.
            training: sequences to learn from and rows to select by.
            context: seed, progress, log, workspace.

        Kept checkpoints go into `context.workspace`; with the same arguments a run that was killed and
        resumed there must give the same result as one that was not.
        """

    def refit_options(self, curves: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Any] | None:
        """Options with which it trains once more, for as long as was chosen and without validation rows.

        Args:
            curves: `Trained.curves` of the run that chose.

        None, the default, where it cannot.
        """
        return None

    @classmethod
    def changed(cls) -> tuple[str, ...]:
        """The slots whose models it gives back."""
        return cls.slots if cls.changes is None else cls.changes
