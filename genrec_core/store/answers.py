"""Answers: what teachers said, kept on disk by question, so that each question is paid for once.

The key is a hash of the question: the teacher's identity, files and state, the chat, the draw number, and the
seed if the teacher depends on it. Every answer is on disk before the teacher is asked to go on: a run that is
killed asks only for what is still missing.

    answers/ab/ab3f….json   {"question": {…}, "answer": {"text": …, "finished": true, …}, "seal": "…"}

A file is used only if its seal holds and its question is the one that is asked. One that was edited, cut
short by a power failure or copied to another name is passed over: the log names it, and the question is
asked again. An answer that a token limit cut off is kept as such; it comes back with `finished` false.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import orjson

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.options import regular_file
from genrec_core.contracts.teacher import Answer, Chat, Teacher, TeacherSession, answered
from genrec_core.store.content import digest_of, fingerprint

_FORMAT = 2


class AnswerStore:
    """A folder of answers, and the teachers that were opened to fill it.

    A context manager: on leaving it every teacher is closed. Several threads may ask; a teacher is used by
    one of them at a time.

    Args:
        root: where answers are kept.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened = ExitStack()
        self._sessions: dict[tuple[int, int], tuple[Teacher, TeacherSession]] = {}
        self._digests: dict[int, tuple[Teacher, list[str]]] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._sessions.clear()
            self._opened.close()

    def ask(self, teacher: Teacher, chats: Sequence[Chat], draw: int, context: Context) -> list[Answer]:
        """One answer a chat, in order; only questions never answered before reach the teacher.

        Raises:
            ContractError: the teacher left chats unanswered, or gave what is no answer.
        """
        with self._lock:
            asker = {
                "format": _FORMAT,
                "teacher": teacher.identity(),
                "files": self._files(teacher),
                "state": teacher.state(context),
                "seed": context.seed if teacher.is_seeded() else None,
                "draw": draw,
            }
            questions = [{**asker, "chat": _turns(chat)} for chat in chats]
            keys = [fingerprint(question) for question in questions]
            known, damaged = self._known(keys)
            if damaged:
                context.log("answers-damaged", count=len(damaged), first=damaged[0])
            missing = {key: place for place, key in enumerate(keys) if key not in known}
            if missing:
                session = self._session(teacher, context)
                todo = list(missing.items())
                asked = [chats[place] for _, place in todo]
                with context.progress(f"asking {teacher.name}", len(todo)) as advance:
                    for number, answer in answered(teacher, session, asked, draw, context):
                        key, place = todo[number]
                        self._keep(key, questions[place], answer)
                        known[key] = answer
                        advance(1)
            return [known[key] for key in keys]

    def _files(self, teacher: Teacher) -> list[str]:
        """What the teacher's files hold, so that another model at the same path is another teacher."""
        if id(teacher) not in self._digests:
            self._digests[id(teacher)] = teacher, [digest_of(path) for path in teacher.inputs()]
        return self._digests[id(teacher)][1]

    def _session(self, teacher: Teacher, context: Context) -> TeacherSession:
        """The teacher, opened once for each seed; it is held as well, so that no other can get its `id`."""
        key = id(teacher), context.seed
        if key not in self._sessions:
            self._sessions[key] = teacher, self._opened.enter_context(teacher.open(context))
        return self._sessions[key][1]

    def _known(self, keys: Sequence[str]) -> tuple[dict[str, Answer], list[str]]:
        """Answers on disk by key, and the names of files that cannot be used."""
        known: dict[str, Answer] = {}
        damaged: list[str] = []
        for key in dict.fromkeys(keys):
            try:
                known[key] = _unsealed(key, regular_file(self._file(key)).read_bytes())
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError, ContractError):
                damaged.append(self._file(key).relative_to(self.root).as_posix())
        return known, damaged

    def _file(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.json"

    def _keep(self, key: str, question: dict[str, Any], answer: Answer) -> None:
        target = self._file(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        body = {"question": question, "answer": vars(answer)}
        part = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        part.write_bytes(orjson.dumps({**body, "seal": fingerprint(body)}, option=orjson.OPT_SORT_KEYS))
        part.replace(target)


def _turns(chat: Chat) -> list[list[str]]:
    return [[message.turn, message.text] for message in chat]


def _unsealed(key: str, data: bytes) -> Answer:
    """The answer in a file.

    Raises:
        ValueError, KeyError, TypeError, ContractError: it is not the whole, unchanged answer to this
        question.
    """
    body = orjson.loads(data)
    seal = body.pop("seal")
    if fingerprint(body) != seal or fingerprint(body["question"]) != key:
        raise ValueError("the seal does not hold")
    return Answer(**body["answer"])
