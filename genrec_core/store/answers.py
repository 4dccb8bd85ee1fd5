"""Answers: what teachers said, kept on disk by request, so that each request is paid for once.

The key is a hash of the teacher's identity, the chat, and the seed if the teacher depends on it. Requests
go out in batches and every batch is on disk before the next leaves: a run that is killed asks only for
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
        batch: how many chats go to a teacher at once.
    """

    def __init__(self, root: Path, batch: int = 64) -> None:
        self.root, self.batch = root, batch

    def ask(self, teacher: Teacher, chats: Sequence[Chat], context: Context) -> list[str]:
        """One answer a chat, in order; only chats never answered before reach the teacher.

        Raises:
            ContractError: the teacher gave another number of answers than it was asked for.
        """
        keys = [self._key(teacher, chat, context) for chat in chats]
        known = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = {key: chat for key, chat in zip(keys, chats, strict=True) if known[key] is None}
        todo = list(missing)
        with context.progress(f"asking {teacher.name}", len(todo)) as advance:
            for start in range(0, len(todo), self.batch):
                part = todo[start : start + self.batch]
                answers = teacher.complete([missing[key] for key in part], context)
                if len(answers) != len(part):
                    raise ContractError(
                        f"teacher `{teacher.name}` gave {len(answers):,} answers to {len(part):,} chats"
                    )
                for key, answer in zip(part, answers, strict=True):
                    self._keep(key, missing[key], answer)
                    known[key] = answer
                advance(len(part))
        return [known[key] or "" for key in keys]

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
