"""Teacher: a language model that is asked.

A teacher is opened once and asked many times; `Context.ask` opens it when the first answer is missing and
keeps every answer on disk. Most teachers need no more than one method, which answers some chats at once:

    class Shouting(Teacher):
        def complete(self, chats, context):
            return [chat[-1].text.upper() for chat in chats]

A teacher that is slow to start (a model to load, a connection to make), or that gets its answers one by one,
implements `open` instead and gives back a session. Whatever a session yields is on disk before it is asked to
go on:

    class Server(Teacher):
        def open(self, context):
            return Connection(self.options.address)     # a TeacherSession

The same chat can be asked again under another draw number, and each answer is kept. A teacher that takes the
likeliest token gives the same answer to every draw; one that samples says so by `is_seeded` and takes its
random numbers from the seed and the draw.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

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


@dataclass(frozen=True)
class Answer:
    """What a teacher wrote.

    Attributes:
        text: the answer; empty if nothing was written.
        finished: False where the token limit (or a filter of the server) ended it: such a text may stop in
            the middle of a word or of a thought. It is kept as what it is, so whoever asked must look at
            this.
        prompt_tokens, answer_tokens: tokens read and written, as the model or its server counted them; None
            where nobody counted.
    """

    text: str
    finished: bool = True
    prompt_tokens: int | None = None
    answer_tokens: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no answer.

        Raises:
            ContractError: the text is no text, or a count is no number of tokens.
        """
        if not isinstance(self.text, str) or not isinstance(self.finished, bool):
            raise ContractError(
                f"an answer is a text and whether it is finished, not {_types(self.text, self.finished)}"
            )
        for name in ("prompt_tokens", "answer_tokens"):
            count = getattr(self, name)
            if count is not None and (type(count) is not int or count < 0):
                raise ContractError(f"`{name}` of an answer is `{count!r}`, but must be a count or None")


class TeacherSession(ABC):
    """An opened teacher: answers any number of rounds of chats until it is closed.

    A context manager. One thread at a time may use it; `Context.ask` sees to that.
    """

    @abstractmethod
    def answer(self, chats: Sequence[Chat], draw: int = 0) -> Iterator[tuple[int, Answer]]:
        """Answers as they come, in any order: the place of a chat among `chats`, and its answer.

        Args:
            chats: the questions; a list of its own, so that it can be kept.
            draw: which answer to the same question is wanted; a sampling teacher mixes it into its seed.

        Raises:
            StageError: the teacher could not be reached; what was yielded before is kept.
        """

    def close(self) -> None:  # noqa: B027 - most sessions hold nothing
        """Give back what the session holds: the model, the connection. May be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Teacher(Component):
    """Answers chats. Ask through `Context.ask`, which keeps every answer on disk."""

    kind: ClassVar[str] = "teacher"
    batch: ClassVar[int] = 64
    """Chats that `complete` is given at once; their answers are kept before the next ones are asked."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.complete is Teacher.complete and cls.open is Teacher.open:
            raise TypeError(f"`{cls.__name__}` must implement `complete` or `open`: how is it asked?")

    def complete(self, chats: Sequence[Chat], context: Context) -> Sequence[str | Answer]:
        """One answer a chat, in order; a plain text is a finished answer.

        `context.seed` depends on the draw, so `context.generator()` draws other numbers for another draw.

        Raises:
            StageError: the teacher could not be reached; batches answered before are kept.
        """
        return self.ask(chats, 0, context)

    def ask(self, chats: Sequence[Chat], draw: int, context: Context) -> list[Answer]:
        """Open, ask one round, close; nothing is kept. `Context.ask` is what components use."""
        with self.open(context) as session:
            found = dict(answered(self, session, chats, draw, context))
        return [found[place] for place in range(len(chats))]

    def open(self, context: Context) -> TeacherSession:
        """Make the teacher ready for questions.

        Raises:
            GenrecError: the model cannot be found, or the server must not be asked.
        """
        return _InBatches(self, context)

    def state(self, context: Context) -> str:
        """What answers depend on besides options, chat, seed and draw; belongs to the key of kept answers.

        Empty for nearly all. A teacher whose model changes while its options stay (a slot of the pipeline)
        gives back what tells one state of the model from another.
        """
        return ""


class _InBatches(TeacherSession):
    """The session of a teacher that only implements `complete`."""

    def __init__(self, teacher: Teacher, context: Context) -> None:
        self.teacher, self.context = teacher, context

    def answer(self, chats: Sequence[Chat], draw: int = 0) -> Iterator[tuple[int, Answer]]:
        """Batch by batch.

        Raises:
            ContractError: `complete` gave another number of answers than it was asked for, or no texts.
        """
        teacher = self.teacher
        context = replace(self.context, seed=draw_seed(self.context.seed, draw))
        for start in range(0, len(chats), teacher.batch):
            some = chats[start : start + teacher.batch]
            answers = teacher.complete(some, context)
            if isinstance(answers, str) or len(answers) != len(some):
                count = "one text" if isinstance(answers, str) else f"{len(answers):,} answers"
                raise ContractError(f"teacher `{teacher.name}` gave {count} to {len(some):,} chats")
            for place, answer in enumerate(answers, start):
                yield place, answer if isinstance(answer, Answer) else Answer(answer)


def draw_seed(seed: int, draw: int) -> int:
    """A draw's own seed; draw 0 has the stage's. Large steps keep draws of neighbouring seeds apart."""
    return (seed + draw * 0x9E3779B1) % 2**31 if draw else seed


@dataclass
class Usage:
    """What some answers came to, as far as somebody counted.

    Attributes:
        answered: answers.
        unfinished: of these, how many a limit ended.
        uncounted: of these, how many came without a count of tokens.
        prompt_tokens, answer_tokens: sums of the counts there were; unfinished answers are paid for as well.
    """

    answered: int = 0
    unfinished: int = 0
    uncounted: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.answered += 1
        self.unfinished += not answer.finished
        self.uncounted += answer.prompt_tokens is None or answer.answer_tokens is None
        self.prompt_tokens += answer.prompt_tokens or 0
        self.answer_tokens += answer.answer_tokens or 0


def answered(
    teacher: Teacher, session: TeacherSession, chats: Sequence[Chat], draw: int, context: Context
) -> Iterator[tuple[int, Answer]]:
    """A session's answers to one round, checked, and counted in the log line `teacher-usage`.

    Raises:
        ContractError: the session left chats unanswered, answered one twice, or gave what is no answer.
    """
    usage = Usage()
    missing = set(range(len(chats)))
    try:
        for place, answer in session.answer(list(chats), draw):
            if place not in missing or not isinstance(answer, Answer):
                raise ContractError(
                    f"teacher `{teacher.name}` gave {_types(answer)} to chat `{place}` of {len(chats):,}",
                    hint="a session yields each place once, with an `Answer`",
                )
            missing.discard(place)
            usage.add(answer)
            yield place, answer
    finally:
        if usage.answered:
            context.log("teacher-usage", **vars(usage))
    if missing:
        raise ContractError(
            f"teacher `{teacher.name}` left {len(missing):,} of {len(chats):,} chats unanswered"
        )


def _types(*values: Iterable[object] | object) -> str:
    return " and ".join(f"`{type(value).__name__}`" for value in values)
