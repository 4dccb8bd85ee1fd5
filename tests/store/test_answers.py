"""Teachers' answers: asked once, in batches that survive, and used only as they were written."""

from __future__ import annotations

import orjson
import pytest

from genrec_core import Answer, ContractError, Message, StageError, Teacher, TeacherSession
from genrec_core.contracts.context import Context
from genrec_core.store.answers import AnswerStore
from genrec_core.store.content import fingerprint


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

    def complete(self, chats, context):
        number = context.generator().integers(10**9)
        return [f"{answer} {number}" for answer in super().complete(chats, context)]


class Opened(Teacher):
    """Counts how often it is opened and closed; `says` is what its sessions yield."""

    seeded = False

    def __init__(self, says=lambda chats, draw: ((n, Answer(f"{n}/{draw}")) for n in range(len(chats)))):
        super().__init__()
        self.says, self.opened, self.closed = says, 0, 0

    def open(self, context):
        self.opened += 1
        return OpenedSession(self)


class OpenedSession(TeacherSession):
    def __init__(self, teacher):
        self.teacher = teacher

    def answer(self, chats, draw=0):
        yield from self.teacher.says(chats, draw)

    def close(self):
        self.teacher.closed += 1


def chats(*texts):
    return [(Message("user", text),) for text in texts]


def ask(folder, teacher, asked, *, draw=0, **context):
    with AnswerStore(folder) as answers:
        return [answer.text for answer in answers.ask(teacher, asked, draw, Context(**context))]


def test_answers_come_in_order_and_repeated_chats_are_asked_once(tmp_path):
    teacher = Echo()
    assert ask(tmp_path, teacher, chats("b", "a", "b")) == ["B", "A", "B"]
    assert teacher.asked == ["b", "a"]
    assert ask(tmp_path, teacher, chats("a", "c")) == ["A", "C"]
    assert teacher.asked == ["b", "a", "c"]


def test_batches_answered_before_a_failure_are_kept(tmp_path):
    with pytest.raises(StageError):
        ask(tmp_path, EchoInPairs(fail_after=2), chats("a", "b", "c"))
    teacher = EchoInPairs()
    assert ask(tmp_path, teacher, chats("a", "b", "c")) == ["A", "B", "C"]
    assert teacher.asked == ["c"]


@pytest.mark.parametrize(("kind", "asked"), [(Echo, 1), (SeededEcho, 2)])
def test_another_seed_asks_again_only_where_the_teacher_depends_on_it(tmp_path, kind, asked):
    teacher = kind()
    for seed in (1, 2):
        ask(tmp_path, teacher, chats("a"), seed=seed)
    assert len(teacher.asked) == asked


def test_every_draw_of_a_question_is_asked_once_and_kept(tmp_path):
    teacher = SeededEcho()
    first = [ask(tmp_path, teacher, chats("a"), draw=draw) for draw in range(3)]
    again = [ask(tmp_path, teacher, chats("a"), draw=draw) for draw in range(3)]
    assert first == again
    assert len({text for (text,) in first}) == 3, "another draw gives a simple teacher another seed"
    assert teacher.asked == ["a", "a", "a"]


def test_draws_are_counted_from_nought():
    with pytest.raises(ContractError, match="`draw` is `-1`"):
        Context().ask(Echo(), chats("a"), draw=-1)


def test_a_teacher_is_opened_once_for_many_rounds_and_closed_at_the_end(tmp_path):
    teacher, other = Opened(), Opened()
    with AnswerStore(tmp_path) as answers:
        context = Context(asker=answers.ask)
        for number in range(3):
            context.ask(teacher, chats(f"a{number}", "b"), draw=number)
        assert (teacher.opened, teacher.closed, other.opened) == (1, 0, 0)
    assert (teacher.opened, teacher.closed) == (1, 1)
    ask(tmp_path, teacher, chats("a0", "b"))
    assert teacher.opened == 1, "all of it was on disk"


def test_a_teacher_is_closed_when_a_stage_breaks(tmp_path):
    teacher = Opened()

    def stage():
        with AnswerStore(tmp_path) as answers:
            answers.ask(teacher, chats("a"), 0, Context())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage()
    assert teacher.closed == 1


def test_an_answer_that_was_cut_off_comes_back_as_such_from_the_disk_too(tmp_path):
    teacher = Opened(lambda chats, draw: [(0, Answer("[red, te", finished=False, answer_tokens=4))])
    for _ in range(2):
        with AnswerStore(tmp_path) as answers:
            assert answers.ask(teacher, chats("a"), 0, Context()) == [
                Answer("[red, te", finished=False, answer_tokens=4)
            ]
    assert teacher.opened == 1


def resealed(change):
    """Edits the body of an answer and seals it again, as somebody who means well might."""

    def edit(data):
        body = orjson.loads(data)
        body.pop("seal")
        change(body)
        return orjson.dumps({**body, "seal": fingerprint(body)})

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: b"",
        lambda data: data[:-9],
        lambda data: data.replace(b'"A"', b'"Z"'),
        lambda data: b'{"chat": [["user", "a"]], "answer": "Z"}',
        lambda data: b"[]",
        resealed(lambda body: body["question"].update(chat=[["user", "z"]])),
        resealed(lambda body: body["answer"].update(text=7)),
        resealed(lambda body: body["answer"].update(text=None)),
        resealed(lambda body: body["answer"].update(finished="yes")),
        resealed(lambda body: body["answer"].update(prompt_tokens=-1)),
        resealed(lambda body: body["answer"].update(more=1)),
        resealed(lambda body: body.update(answer="Z")),
        resealed(lambda body: body.pop("answer")),
    ],
    ids=["empty", "short", "edited", "unsealed", "a list", "another question", "a number", "null", "no bool",
         "a negative count", "unknown field", "no object", "no answer"],
)  # fmt: skip
def test_an_answer_that_is_not_as_it_was_written_is_named_and_asked_for_again(tmp_path, edit):
    ask(tmp_path, Echo(), chats("a"))
    (file,) = tmp_path.glob("*/*.json")
    file.write_bytes(edit(file.read_bytes()))
    teacher, lines = Echo(), {}
    log = lambda event, **values: lines.update({event: values})  # noqa: E731
    assert ask(tmp_path, teacher, chats("a"), log=log) == ["A"]
    assert teacher.asked == ["a"]
    assert lines["answers-damaged"] == {"count": 1, "first": f"{file.parent.name}/{file.name}"}


def test_the_file_of_another_question_is_not_its_answer(tmp_path):
    ask(tmp_path, Echo(), chats("a"))
    (first,) = tmp_path.glob("*/*.json")
    ask(tmp_path, Echo(), chats("b"))
    (second,) = set(tmp_path.glob("*/*.json")) - {first}
    second.write_bytes(first.read_bytes())
    assert ask(tmp_path, Echo(), chats("b")) == ["B"]


@pytest.mark.parametrize(
    ("teacher", "complaint"),
    [
        (Echo(short=True), "gave 1 answers to 2 chats"),
        (Opened(lambda chats, draw: [(0, Answer("a"))]), "left 1 of 2 chats unanswered"),
        (Opened(lambda chats, draw: [(0, Answer("a"))] * 2), "gave `Answer` to chat `0` of 2"),
        (Opened(lambda chats, draw: [(2, Answer("a"))]), "gave `Answer` to chat `2` of 2"),
        (Opened(lambda chats, draw: [(0, "a")]), "gave `str` to chat `0` of 2"),
    ],
    ids=["short", "unanswered", "twice", "out of range", "no Answer"],
)
def test_a_teacher_that_breaks_its_contract_is_named(tmp_path, teacher, complaint):
    with pytest.raises(ContractError, match=complaint):
        ask(tmp_path, teacher, chats("a", "b"))


@pytest.mark.parametrize("answer", [None, 7, b"A", ["A"]])
def test_what_is_no_text_is_no_answer(tmp_path, answer):
    class Odd(Teacher):
        def complete(self, chats, context):
            return [answer for _ in chats]

    with pytest.raises(ContractError, match="an answer is a text"):
        ask(tmp_path, Odd(), chats("a"))
    assert not list(tmp_path.glob("*/*.json"))


def test_a_teacher_must_say_how_it_is_asked():
    with pytest.raises(TypeError, match="`Mute` must implement `complete` or `open`"):

        class Mute(Teacher):
            pass
