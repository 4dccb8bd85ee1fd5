"""Each promise of teachers has a fault that its check notices, and teachers without one pass."""

from __future__ import annotations

import itertools

import pytest

from genrec_core import Answer, Teacher
from genrec_core.registry.discovery import load_plugins
from genrec_core.testing.checks.teacher import CHECKS
from genrec_core.testing.runner import check_component
from genrec_core.testing.stub_teacher import StubTeacher

COUNTER = itertools.count()


class Sound(Teacher):
    """Repeats the first words of a question, as many as it may write."""

    seeded = False

    class Options(Teacher.Options):
        """How much is written."""

        max_tokens: int = 100
        """Most words."""

    options: Options

    def complete(self, chats, context):
        return [self.answered(chat[-1].text.split(), context) for chat in chats]

    def answered(self, words, context):
        text = " ".join(words[: self.options.max_tokens])
        return Answer(text, len(words) < self.options.max_tokens, len(words), len(text.split()))


class Sampling(Sound):
    """Draws the word that it gives."""

    seeded = True

    def answered(self, words, context):
        return Answer(str(context.generator().choice(words)), self.options.max_tokens > 1)


class Deaf(Sound):
    """Cannot answer a round without a chat."""

    def open(self, context):
        session = super().open(context)
        answer = session.answer
        session.answer = lambda chats, draw=0: answer(chats[:], draw) if chats[0] else iter(())
        return session


class Moody(Sound):
    """Says how often it was asked."""

    def answered(self, words, context):
        return Answer(f"{next(COUNTER)}", False)


class Drawn(Sound):
    """Lets its answer depend on the draw, and does not say so."""

    def answered(self, words, context):
        return Answer(str(context.seed), False)


class Crowded(Sound):
    """Says how many ask."""

    def complete(self, chats, context):
        return [Answer(f"one of {len(chats)}", False) for _ in chats]


class Breaking(Sound):
    """Calls what its limit ended finished."""

    def answered(self, words, context):
        return Answer(" ".join(words[: self.options.max_tokens]))


class Uncounted(Sound):
    """Gives no count where it counts."""

    def answered(self, words, context):
        return Answer(" ".join(words), False, prompt_tokens=len(words), answer_tokens=0)


class Restless(Sound):
    """Is another teacher whenever it is asked."""

    def state(self, context):
        return str(next(COUNTER))


class Fragile(Sound):
    """Cannot be closed twice."""

    def open(self, context):
        session, closed = super().open(context), []

        def close():
            assert not closed
            closed.append(True)

        session.close = close
        return session


FAULTS = {
    "answers_every_chat_of_every_round": Deaf,
    "answers_the_same_question_alike": Moody,
    "answers_every_draw_alike_unless_it_samples": Drawn,
    "answers_alone_as_among_others": Crowded,
    "says_what_was_cut_off": Breaking,
    "counts_what_is_read_and_written": Uncounted,
    "is_paid_once": Restless,
    "closes_twice": Fragile,
}


@pytest.fixture(scope="module")
def installed():
    return load_plugins()[0]


def outcomes(component, installed, may_ask=True):
    found = check_component(
        "teacher", component, builder=installed, only=[check.__name__ for check in CHECKS], may_ask=may_ask
    )
    return {result.name: result.outcome for result in found}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_each_fault_is_noticed_by_the_check_meant_for_it(check, installed):
    assert outcomes(FAULTS[check.__name__], installed)[check.__name__] == "failed"


def test_teachers_without_a_fault_pass(installed):
    assert set(outcomes(Sound, installed).values()) == {"passed"}
    skipped = {"answers_every_draw_alike_unless_it_samples", "answers_alone_as_among_others"}
    assert {name for name, outcome in outcomes(Sampling, installed).items() if outcome != "passed"} == skipped
    assert "failed" not in outcomes(StubTeacher, installed).values()


def test_a_teacher_that_may_cost_money_is_not_asked(installed):
    assert set(outcomes(Moody, installed, may_ask=False).values()) == {"skipped"}
