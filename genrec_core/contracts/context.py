"""Context: what the framework lends a component while it works.

Seed, progress, a private folder that survives a crash, and the cached ways to embed items, to ask a teacher
and to get what a baseline has learnt. A context made with no arguments is enough for a unit test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.views import Training

Advance = Callable[[int], None]
Arrays = Mapping[str, NDArray[Any]]
"""What a component has learnt: numeric arrays by name."""

Question = TypeVar("Question", contravariant=True)
Reply = TypeVar("Reply")


class Embeds(Protocol):
    """What embedding asks of an encoder."""

    def texts(self, items: Items) -> list[str]:
        """What is read of each item."""

    def fit(self, texts: Sequence[str], context: Context) -> Arrays:
        """What is learnt first."""

    def encode(self, texts: Sequence[str], state: Arrays, context: Context) -> NDArray[np.float32]:
        """Vectors, float32 [N, d]."""


class Answers(Protocol[Question, Reply]):
    """What asking needs of a teacher."""

    def ask(self, chats: Sequence[Question], draw: int, context: Context) -> list[Reply]:
        """One answer a chat."""


class Fits(Protocol):
    """What fitting needs of a baseline."""

    name: str

    def fit(self, items: Items, training: Training, context: Context) -> Arrays:
        """What is learnt."""


class Progress(Protocol):
    """Shows how far a loop has come; silent unless somebody watches."""

    def __call__(self, what: str, total: int | None = None) -> contextlib.AbstractContextManager[Advance]:
        """A bar for `total` steps; the value it yields is called with how many steps were made."""


@contextlib.contextmanager
def silent(what: str, total: int | None = None) -> Iterator[Advance]:
    """Progress that nobody watches."""
    yield lambda steps: None


def unlogged(event: str, **values: Any) -> None:
    """A log that nobody reads."""


@dataclass(frozen=True)
class Embedded:
    """Items as vectors.

    Attributes:
        vectors: float32 [N, d].
        state: what the encoder has learnt; embeds other items into the same space.
    """

    vectors: NDArray[np.float32]
    state: Arrays


Embedder = Callable[[Any, Items, Arrays | None, "Context"], Embedded]
"""Embeds items; without a state, the encoder learns from these items first."""


def _embed(encoder: Embeds, items: Items, state: Arrays | None, context: Context) -> Embedded:
    texts = encoder.texts(items)
    state = encoder.fit(texts, context) if state is None else state
    return Embedded(encoder.encode(texts, state, context), state)


Asker = Callable[[Any, Sequence[Any], int, "Context"], list[Any]]
"""Asks a teacher: chats, a draw number, the context; one answer a chat, in order."""


def _ask(teacher: Answers[Any, Any], chats: Sequence[Any], draw: int, context: Context) -> list[Any]:
    return teacher.ask(chats, draw, context)


def _fit(baseline: Fits, items: Items, training: Training | None, context: Context) -> Arrays:
    if training is None:
        raise GenrecError(
            f"baseline `{baseline.name}` has not been fitted",
            hint="a run fits every baseline that a component names; without one, give `Context.fitter`",
        )
    return baseline.fit(items, training, context)


@dataclass(frozen=True)
class Context:
    """What a component may use besides its inputs.

    Attributes:
        seed: the only source of randomness a component may use.
        workspace: a folder private to this stage; it survives a kill, so checkpoints belong here.
            None when nothing should be kept.
        progress: see `Progress`.
        log: `log("epoch", loss=0.3)` adds a line to the run's log and the report's curves.
        models: pipeline slot → language model as it stands before this stage, for the slots that the
            component named in `model_slots`; each is loaded when it is first asked for, as a copy of its own.
    """

    seed: int = 0
    workspace: Path | None = None
    progress: Progress = silent
    log: Callable[..., None] = unlogged
    models: Mapping[str, LanguageModel] = field(default_factory=dict, repr=False)
    embedder: Embedder = field(default=_embed, repr=False)
    asker: Asker = field(default=_ask, repr=False)
    fitter: Callable[[Any, Items, Training | None, Context], Arrays] = field(default=_fit, repr=False)

    def embed(self, encoder: Embeds, items: Items, state: Arrays | None = None) -> NDArray[np.float32]:
        """Item embeddings, float32 [N, d]; those of the catalogue are computed once and kept in the store.

        With `state`, what the encoder learnt before from others, they lie in the same space as those.
        """
        return self.embedded(encoder, items, state).vectors

    def embedded(self, encoder: Embeds, items: Items, state: Arrays | None = None) -> Embedded:
        """Item embeddings together with what the encoder learnt, which names new items later.

        A tokenizer keeps that in `Identifiers.state` under `encoder.…`; `Identifiers.learnt("encoder")` gives
        it back.
        """
        return self.embedder(encoder, items, state, self)

    def ask(self, teacher: Answers[Question, Reply], chats: Sequence[Question], draw: int = 0) -> list[Reply]:
        """The teacher's answers, in order; each question is paid for once and its answer kept on disk.

        Args:
            teacher: who is asked; within a stage it is opened once, however often it is asked.
            chats: the questions.
            draw: 0, 1, … ask the same questions again and keep each answer. Only teachers that sample answer
                differently.

        An answer that a limit cut off is not `finished`: look at that before its text is used.
        """
        if draw < 0:
            raise ContractError(f"`draw` is `{draw}`, but draws are counted from 0")
        return self.asker(teacher, chats, draw, self)

    def fitted(self, baseline: Fits, items: Items, training: Training | None = None) -> Arrays:
        """What a baseline has learnt; in a run each is fitted once, in a stage of its own, and kept.

        Without `training` it must have been fitted before.

        Raises:
            GenrecError: it was not.
        """
        return self.fitter(baseline, items, training, self)

    def generator(self, *purpose: int) -> np.random.Generator:
        """A NumPy generator that depends on the seed and on `purpose` alone."""
        return np.random.default_rng([self.seed, *purpose])
