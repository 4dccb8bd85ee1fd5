"""Context: what the framework lends a component while it works.

Seed, progress, a private folder that survives a crash, and the cached ways to embed items and to ask a
teacher. A context made with no arguments is enough for a unit test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from genrec_core.contracts.encoder import Encoder
    from genrec_core.contracts.items import Items
    from genrec_core.contracts.teacher import Chat, Teacher

Advance = Callable[[int], None]


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


def _embed(encoder: Encoder, items: Items, context: Context) -> NDArray[np.float32]:
    return encoder.encode(encoder.texts(items), context)


def _teach(teacher: Teacher, chats: Sequence[Chat], context: Context) -> list[str]:
    return teacher.complete(chats, context)


@dataclass(frozen=True)
class Context:
    """What a component may use besides its inputs.

    Attributes:
        seed: the only source of randomness a component may use.
        workspace: a folder private to this stage; it survives a kill, so checkpoints belong here.
            None when nothing should be kept.
        progress: see `Progress`.
        log: `log("epoch", loss=0.3)` adds a line to the run's log and the report's curves.
    """

    seed: int = 0
    workspace: Path | None = None
    progress: Progress = silent
    log: Callable[..., None] = unlogged
    embedder: Callable[[Encoder, Items, Context], NDArray[np.float32]] = field(default=_embed, repr=False)
    asker: Callable[[Teacher, Sequence[Chat], Context], list[str]] = field(default=_teach, repr=False)

    def embed(self, encoder: Encoder, items: Items) -> NDArray[np.float32]:
        """Item embeddings, float32 [N, d]; computed once per pipeline and kept in the store."""
        return self.embedder(encoder, items, self)

    def ask(self, teacher: Teacher, chats: Sequence[Chat]) -> list[str]:
        """The teacher's answers, in order; each request is paid for once and kept on disk."""
        return self.asker(teacher, chats, self)

    def generator(self, *purpose: int) -> np.random.Generator:
        """A NumPy generator that depends on the seed and on `purpose` alone."""
        return np.random.default_rng([self.seed, *purpose])
