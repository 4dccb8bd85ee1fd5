"""Teacher: a language model that is asked, not trained.

`complete` answers some chats at once, which is all that most teachers need:

    class Shouting(Teacher):
        def complete(self, chats, context):
            return [chat[-1].text.upper() for chat in chats]

A teacher that gets its answers one by one, or is slow to start, implements `each` as well: whatever it
yields is on disk before it is asked to go on.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError
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
    batch: ClassVar[int] = 64
    """Chats that `complete` is given at once; their answers are kept before the next ones are asked."""

    @abstractmethod
    def complete(self, chats: Sequence[Chat], context: Context) -> list[str]:
        """One answer a chat, in order.

        Raises:
            StageError: the teacher could not be reached; answers already given are kept.
        """

    def each(self, chats: Sequence[Chat], context: Context) -> Iterator[tuple[int, str]]:
        """Answers as they come, in any order: the place of a chat among `chats`, and its answer.

        Raises:
            StageError: the teacher could not be reached; what was yielded before is kept.
            ContractError: `complete` gave another number of answers than it was asked for.
        """
        for start in range(0, len(chats), self.batch):
            some = chats[start : start + self.batch]
            answers = self.complete(some, context)
            if len(answers) != len(some):
                raise ContractError(
                    f"teacher `{self.name}` gave {len(answers):,} answers to {len(some):,} chats"
                )
            yield from enumerate(answers, start)
