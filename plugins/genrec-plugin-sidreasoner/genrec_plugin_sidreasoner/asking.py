"""Asking a teacher until its answers can be used.

Each round is one call of `Context.ask`, which keeps every answer on disk as it comes, so a run that was
killed asks only for what is missing. An answer that cannot be used is put to the teacher again with the
reason; the second question holds the first answer, so it is another question and kept as well. Whatever
cannot be used after the last round is refused, or left out and counted.

    reading = lambda answer, place: int(answer.text)      # raises UnusableError("it is no number")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from pydantic import Field

from genrec_core import Answer, Chat, Context, Message, StageError, Teacher
from genrec_core.contracts.options import Options

Made = TypeVar("Made")

CHARACTERS_A_TOKEN = 4


class UnusableError(Exception):
    """An answer that cannot be used; the message is the reason, as the teacher is told."""


class AskingOptions(Options):
    """Who is asked, and what becomes of answers that cannot be used."""

    teacher: Teacher = Field(default={"use": "sidreasoner/templates"}, validate_default=True)
    """Who writes; by default no model, but sentences put together from the items' own fields."""
    retries: int = Field(default=2, ge=0)
    """How many more times it is asked where an answer cannot be used; it is told why."""
    unusable: Literal["refuse", "skip"] = "refuse"
    """What happens where no answer could be used: `refuse` stops, `skip` leaves it out and logs how many."""


def plan(what: str, chats: Mapping[int, Chat], calls: int, context: Context) -> None:
    """Say what a chain will cost before it starts: a line `enrichment-planned`.

    Args:
        what: is asked for.
        chats: the questions of the first call.
        calls: how many calls each chain has; later ones are taken to be as long as the first.
        context: for its log.
    """
    characters = sum(len(message.text) for chat in chats.values() for message in chat)
    context.log(
        "enrichment-planned",
        what=what,
        chains=len(chats),
        calls=calls * len(chats),
        prompt_estimate=calls * characters // CHARACTERS_A_TOKEN,
    )


def usable_answers(
    what: str,
    chats: Mapping[int, Chat],
    read: Callable[[str, int], Made],
    options: AskingOptions,
    context: Context,
) -> dict[int, Made]:
    """What was read from each answer that can be used, by the key of its chat.

    Args:
        what: is asked for, in the log.
        chats: the questions.
        read: makes something of a finished answer's text and the chat's key, or raises `UnusableError`.
        options: who is asked, how often.
        context: keeps the answers.

    Raises:
        StageError: answers could not be used, and `unusable` is `refuse`.
    """
    found: dict[int, Made] = {}
    pending = dict(chats)
    reasons: Counter[str] = Counter()
    for tried in range(options.retries + 1):
        keys = list(pending)
        answers = context.ask(options.teacher, [pending[key] for key in keys])
        reasons = Counter()
        for key, answer in zip(keys, answers, strict=True):
            try:
                found[key] = read(_finished(answer), key)
                del pending[key]
            except UnusableError as reason:
                reasons[str(reason)] += 1
                pending[key] = _again(pending[key], answer, str(reason))
        context.log("asked", what=what, round=tried + 1, asked=len(keys), unusable=len(pending))
        if not pending:
            break
    if pending and options.unusable == "refuse":
        raise StageError(
            f"`{options.teacher.name}` gave no usable {what} for {len(pending):,} of {len(chats):,} "
            f"questions: {_listed(reasons)}",
            hint="ask a better teacher, raise `retries`, or leave these out with `unusable: skip`",
        )
    return {key: found[key] for key in chats if key in found}


def _finished(answer: Answer) -> str:
    if not answer.finished:
        raise UnusableError("it was cut off before its end")
    text = answer.text.strip()
    if not text:
        raise UnusableError("it is empty")
    return text


def _again(chat: Chat, answer: Answer, reason: str) -> Chat:
    complaint = f"This cannot be used: {reason}. Answer once more, following every rule above."
    return (*chat, Message("assistant", answer.text or "(nothing)"), Message("user", complaint))


def _listed(reasons: Counter[str]) -> str:
    return "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
