"""What a teacher promises: an answer to every chat, the same to the same question, and cut-off ones say so.

Asking may cost money, so a teacher is asked only where that is said to be free: `may_ask = True` in its
`TeacherContract`. The questions are ordinary chats that a teacher without a model can answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from genrec_core.contracts.teacher import Answer, Chat, Message, Teacher, answered
from genrec_core.store.answers import AnswerStore
from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import NotApplicable, require

CHATS: tuple[Chat, ...] = (
    (Message("user", "Name a red tent."),),
    (Message("system", "Be short."), Message("user", "Name a lamp for a tent.")),
    (Message("user", "Name a rope."), Message("assistant", "Rope."), Message("user", "Name another.")),
)
_LIMIT = "max_tokens"
"""The option that bounds an answer, where a teacher has one."""


def answers_every_chat_of_every_round(subject: Subject) -> None:
    """A session answers each chat of a round once, also one that is asked twice, and an empty round."""
    teacher, context = _asked(subject), subject.context("rounds")
    with teacher.open(context) as session:
        for round_ in ([], list(CHATS), [CHATS[1]], [CHATS[0], CHATS[0]]):
            found = dict(answered(teacher, session, round_, 0, context))
            require(len(found) == len(round_), f"{len(round_)} chats got {len(found)} answers")


def answers_the_same_question_alike(subject: Subject) -> None:
    """The same chats under the same seed and draw get the same answers, whenever they are asked."""
    for draw in (0, 1):
        first, second = _answers(subject, CHATS, draw), _answers(subject, CHATS, draw)
        require(first == second, f"draw {draw} gave {_texts(first)}, then {_texts(second)}")


def answers_every_draw_alike_unless_it_samples(subject: Subject) -> None:
    """A teacher that does not depend on the seed gives every draw the same answer."""
    if _asked(subject).is_seeded():
        raise NotApplicable("it samples: draws may differ")
    first, second = _answers(subject, CHATS), _answers(subject, CHATS, draw=1)
    require(first == second, f"draw 1 gave {_texts(second)}, draw 0 {_texts(first)}: set `seeded = True`")


def answers_alone_as_among_others(subject: Subject) -> None:
    """What else is asked in a round changes no answer, since an answer is kept for its own chat."""
    if _asked(subject).is_seeded():
        raise NotApplicable("it samples: a round shares its random numbers")
    together = _answers(subject, CHATS)
    for chat, among in zip(CHATS, together, strict=True):
        (alone,) = _answers(subject, [chat])
        require(alone.text == among.text, f"alone it answers `{alone.text}`, among others `{among.text}`")


def says_what_was_cut_off(subject: Subject) -> None:
    """An answer that a limit ended is not `finished`: one token holds no text and its end."""
    if _LIMIT not in type(_asked(subject).options).model_fields:
        raise NotApplicable(f"it has no option `{_LIMIT}`")
    short = replace(subject, options={**subject.options, _LIMIT: 1}, made={})
    whole = [one.text for one in _answers(short, CHATS) if one.finished and one.text.strip()]
    require(not whole, f"after one token `{(whole or [''])[0]}` is called a finished answer")


def counts_what_is_read_and_written(subject: Subject) -> None:
    """Where tokens are counted, every chat has some and every text too; the costs of a run add them up."""
    for chat, answer in zip(CHATS, _answers(subject, CHATS), strict=True):
        require(answer.prompt_tokens != 0, f"`{chat[-1].text}` is said to have no token")
        require(answer.answer_tokens != 0 or not answer.text, f"`{answer.text}` is said to have no token")


def is_paid_once(subject: Subject) -> None:
    """What was answered is found again by a new component with the same options, and nobody is asked."""
    context = subject.context("kept")
    given = []
    for _ in range(2):
        events: list[str] = []
        logging = replace(context, log=lambda event, *_, **__: events.append(event))  # noqa: B023 - used at once
        with AnswerStore(subject.workspace / "answers") as answers:
            given.append(answers.ask(_asked(subject), CHATS, 0, logging))
    require(given[0] == given[1], f"kept were {_texts(given[0])}, found are {_texts(given[1])}")
    require("teacher-usage" not in events, "the same questions reach the teacher again: is `state` steady?")


def closes_twice(subject: Subject) -> None:
    """A session that is closed twice is closed, and another one answers afterwards."""
    session = _asked(subject).open(subject.context("closed"))
    session.close()
    session.close()
    _answers(subject, CHATS[:1])


def _asked(subject: Subject) -> Teacher:
    if not subject.may_ask:
        raise NotApplicable("asking may cost money: `may_ask = True` says that it does not")
    teacher: Teacher = subject.component()
    return teacher


def _answers(subject: Subject, chats: Sequence[Chat], draw: int = 0) -> list[Answer]:
    return _asked(subject).ask(chats, draw, subject.context("asked"))


def _texts(answers: Sequence[Answer]) -> list[str]:
    return [answer.text for answer in answers]


CHECKS = (
    answers_every_chat_of_every_round,
    answers_the_same_question_alike,
    answers_every_draw_alike_unless_it_samples,
    answers_alone_as_among_others,
    says_what_was_cut_off,
    counts_what_is_read_and_written,
    is_paid_once,
    closes_twice,
)
