"""Teacher: a language model that is asked, not trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.samples import Turn


@dataclass(frozen=True)
class Message:
    """One turn of a chat."""

    turn: Turn
    text: str


Chat = tuple[Message, ...]


class Teacher(Component):
    """Answers chats. Ask through `Context.ask`, which keeps every answer on disk by request hash."""

    kind: ClassVar[str] = "teacher"

    @abstractmethod
    def complete(self, chats: Sequence[Chat], context: Context) -> list[str]:
        """One answer a chat, in order.

        Raises:
            StageError: the teacher could not be reached; answers already given are kept.
        """
