"""Teachers' answers: asked once, in batches that survive."""

from __future__ import annotations

import pytest

from genrec_core import ContractError, Message, StageError, Teacher
from genrec_core.contracts.context import Context
from genrec_core.store.answers import Answers


class Echo(Teacher):
    seeded = False

    def __init__(self, fail_after=10**9, short=False):
        super().__init__()
        self.asked, self.fail_after, self.short = [], fail_after, short

    def complete(self, chats, context):
        if len(self.asked) >= self.fail_after:
            raise StageError("the teacher is offline")
        self.asked += [chat[0].text for chat in chats]
        return [chat[0].text.upper() for chat in chats][: -1 if self.short else None]


class EchoInPairs(Echo):
    batch = 2


class SeededEcho(Echo):
    seeded = True


def chats(*texts):
    return [(Message("user", text),) for text in texts]


def test_answers_come_in_order_and_repeated_chats_are_asked_once(tmp_path):
    teacher = Echo()
    assert Answers(tmp_path).ask(teacher, chats("b", "a", "b"), Context()) == ["B", "A", "B"]
    assert teacher.asked == ["b", "a"]
    assert Answers(tmp_path).ask(teacher, chats("a", "c"), Context()) == ["A", "C"]
    assert teacher.asked == ["b", "a", "c"]


def test_batches_answered_before_a_failure_are_kept(tmp_path):
    with pytest.raises(StageError):
        Answers(tmp_path).ask(EchoInPairs(fail_after=2), chats("a", "b", "c"), Context())
    teacher = EchoInPairs()
    assert Answers(tmp_path).ask(teacher, chats("a", "b", "c"), Context()) == ["A", "B", "C"]
    assert teacher.asked == ["c"]


def test_an_unreadable_answer_is_asked_for_again(tmp_path):
    Answers(tmp_path).ask(Echo(), chats("a"), Context())
    next(tmp_path.glob("*/*.json")).write_bytes(b"")
    teacher = Echo()
    assert Answers(tmp_path).ask(teacher, chats("a"), Context()) == ["A"]
    assert teacher.asked == ["a"]


@pytest.mark.parametrize(("kind", "asked"), [(Echo, 1), (SeededEcho, 2)])
def test_another_seed_asks_again_only_where_the_teacher_depends_on_it(tmp_path, kind, asked):
    teacher = kind()
    for seed in (1, 2):
        Answers(tmp_path).ask(teacher, chats("a"), Context(seed=seed))
    assert len(teacher.asked) == asked


def test_too_few_answers_break_the_contract(tmp_path):
    with pytest.raises(ContractError, match="gave 1 answers to 2 chats"):
        Answers(tmp_path).ask(Echo(short=True), chats("a", "b"), Context())
