"""A teacher without a model: answers from a table, or echoes, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Sequence

from genrec_core.contracts.context import Context
from genrec_core.contracts.teacher import Answer, Chat, Teacher


class StubTeacher(Teacher):
    """Answers each chat by the first rule that matches its last message, else by repeating that message.

    `asked` lists every chat it was given, in order: it is the one component that remembers, so that a test
    can look at the prompts.

        StubTeacher(answers={"colour": "blue"})   # any message with "colour" in it is answered "blue"
    """

    seeded = False

    class Options(Teacher.Options):
        """What to answer."""

        answers: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
        """Part of a message → the answer to it; earlier rules win."""

        prefix: str = ""
        """What stands before a repeated message."""

    options: Options

    @property
    def asked(self) -> list[Chat]:
        """Every chat so far."""
        chats: list[Chat] = self.__dict__.setdefault("_asked", [])
        return chats

    def complete(self, chats: Sequence[Chat], context: Context) -> Sequence[str | Answer]:
        """One answer a chat, in order."""
        self.asked.extend(chats)
        return [self._answer(chat[-1].text if chat else "") for chat in chats]

    def _answer(self, message: str) -> str:
        for part, answer in self.options.answers.items():
            if part in message:
                return answer
        return self.options.prefix + message
