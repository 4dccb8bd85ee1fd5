"""Tokenizer: items to identifiers.

A tokenizer may own a language model (one that writes identifiers, say). It names the model's slot in
`slot`, has an option of that name for the backbone, and gives the model back beside the identifiers. The
pipeline keeps it as an artefact, and later training steps may read the slot like any other:

    class Writing(Tokenizer):
        slot = "writer"

        class Options(Tokenizer.Options):
            writer: Backbone

        def fit(self, items, train, context):
            ...
            return FittedTokenizer(identifiers, model)
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import Options
from genrec_core.contracts.views import View


@dataclass(frozen=True)
class Reconstruction:
    """What a tokenizer with codebooks quantised, and what it kept of it.

    Attributes:
        seen: float32 [N, d], the vectors as the quantiser saw them.
        decoded: float32 [N, d], the vectors that the identifiers' codes stand for.
    """

    seen: NDArray[np.float32]
    decoded: NDArray[np.float32]


LearnFrom = Literal["all", "seen"]


@dataclass(frozen=True)
class FittedTokenizer:
    """What fitting a tokenizer gives.

    Attributes:
        identifiers: of all items, in catalogue order.
        model: the language model that the tokenizer owns, where it names a `slot`; None otherwise.
    """

    identifiers: Identifiers
    model: LanguageModel | None = None


class Tokenizer(Component):
    """Names every item of a catalogue.

    The promise: the same items, options and seed give the same identifiers; every item gets a non-empty
    one; what is needed to name an unseen item is in `Identifiers.state`, never in the component (also what
    the encoder has learnt: `context.embedded`).
    A language model's own tokenizer is always called *text tokenizer* here.
    """

    kind: ClassVar[str] = "tokenizer"
    slot: ClassVar[str] = ""
    """Slot of the model that it owns; "" for none. The option of this name is the model's backbone."""

    class Options(Options):
        """Options of every tokenizer."""

        learn_from: LearnFrom = "all"
        """Items to learn from: `all`, or only those that training shows (`seen`). The others are then named
        as new items are, by what was learnt from the seen ones."""

    def writes_codes(self) -> bool:
        """Whether identifiers are made of tokens of their own (`Identifiers.new_tokens`), not of words.

        `genrec check` asks it where a model reads histories by item.
        """
        return True

    @abstractmethod
    def fit(self, items: Items, train: View, context: Context) -> Identifiers | FittedTokenizer:
        """Identifiers for all of `items`, together with the model where the tokenizer owns one.

        Args:
            items: the catalogue.
            train: training sequences, for identifiers that learn from behaviour.
            context: gives embeddings (`context.embed(self.options.encoder, items)`) and teachers' answers.

        The option `learn_from` is the pipeline's matter: with `seen`, `items` are those that training shows.
        """

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """Identifiers for the old items, unchanged, followed by those of the new `items`.

        A model that the tokenizer owns is `context.models[self.slot]`, as it was left last.

        Raises:
            GenrecError: this tokenizer cannot name items it was not fitted on.
        """
        raise GenrecError(
            f"tokenizer `{self.name}` cannot name items that it was not fitted on",
            hint="fit it again on the whole catalogue, or use a tokenizer that implements `extend`",
        )

    def reconstruct(self, identifiers: Identifiers, items: Items, context: Context) -> Reconstruction | None:
        """How much of its embeddings the identifiers it made keep; None for a tokenizer without codebooks."""
        return None
