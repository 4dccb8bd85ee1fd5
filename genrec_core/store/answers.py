"""Answers: what teachers said, kept on disk by request, so that each request is paid for once.

The key is a hash of the teacher's identity, the chat, and the seed if the teacher depends on it. Every
answer is on disk before the teacher is asked to go on (`Teacher.each`): a run that is killed asks only for
what is still missing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.teacher import Chat, Teacher
from genrec_core.store.canonical import fingerprint


class Answers:
    """A folder of answers.

    Args:
        root: where they are kept.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def ask(self, teacher: Teacher, chats: Sequence[Chat], context: Context) -> list[str]:
        """One answer a chat, in order; only chats never answered before reach the teacher.

        Raises:
            ContractError: the teacher left chats unanswered, or gave more answers than it was asked for.
        """
        keys = [self._key(teacher, chat, context) for chat in chats]
        known = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = {key: chat for key, chat in zip(keys, chats, strict=True) if known[key] is None}
        todo = list(missing)
        if todo:
            with context.progress(f"asking {teacher.name}", len(todo)) as advance:
                for place, answer in teacher.each(list(missing.values()), context):
                    self._keep(todo[place], missing[todo[place]], answer)
                    known[todo[place]] = answer
                    advance(1)
        answers = [known[key] for key in keys]
        unanswered = sum(known[key] is None for key in todo)
        if unanswered:
            raise ContractError(
                f"teacher `{teacher.name}` left {unanswered:,} of {len(todo):,} chats unanswered"
            )
        return [answer for answer in answers if answer is not None]

    def _key(self, teacher: Teacher, chat: Chat, context: Context) -> str:
        seed = context.seed if teacher.seeded else None
        turns = [[message.turn, message.text] for message in chat]
        return fingerprint({"teacher": teacher.identity(), "chat": turns, "seed": seed})

    def _file(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def _keep(self, key: str, chat: Chat, answer: str) -> None:
        target = self._file(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        turns = [[message.turn, message.text] for message in chat]
        part = target.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(orjson.dumps({"chat": turns, "answer": answer}))
        part.replace(target)

    def _read(self, key: str) -> str | None:
        """The answer on disk; None when there is none or a power cut left it unreadable."""
        try:
            answer: str = orjson.loads(self._file(key).read_bytes())["answer"]
        except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError):
            return None
        return answer
