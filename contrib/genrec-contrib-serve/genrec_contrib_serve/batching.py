"""Batching: requests of many clients, answered together by one thread.

A session belongs to one thread, and a model answers sixteen requests in little more time than one. So there
is one thread that works, and a queue before it: while it answers one batch, the next one gathers. Nobody
waits for company: a request that comes alone is answered alone, at once.

    batcher.submit(run, [Question(request, k=10)], deadline)[0].result()

The queue is bounded. Where it is full nothing is taken in, and `BusyError` says when to come again. A request
belongs to the run that was served when it came, and is answered by it, whatever is loaded meanwhile; a run
that was replaced is closed when nobody waits for it any more.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from genrec_contrib_serve.metrics import Metrics
from genrec_core import ContractError, Request
from genrec_core.api.answering import RankedAnswer
from genrec_core.api.explaining import Near


@dataclass(frozen=True)
class TopKRequest:
    """A request, and what is wanted of its answer.

    Attributes:
        request: whom to recommend to.
        k: how many items.
        why: name the nearest items of the history, where there is no thought.
        explain: name them always, and the beams.
    """

    request: Request
    k: int
    why: bool = False
    explain: bool = False


@dataclass(frozen=True)
class ExplainedAnswer(RankedAnswer):
    """An answer; where that was asked for, beside each item the nearest ones of the history."""

    near: Sequence[Sequence[Near]] | None = None


class Answerer(Protocol):
    """What a batcher needs of a run."""

    def answers(self, questions: Sequence[TopKRequest]) -> list[ExplainedAnswer]:
        """One answer a question."""

    def close(self) -> None:
        """Nobody will ask again."""


class BusyError(Exception):
    """The queue is full.

    Attributes:
        retry_after: seconds after which there is room, by what requests took lately.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full; come again in {retry_after} s")
        self.retry_after = retry_after


class OverdueError(Exception):
    """A request waited longer than it may."""


@dataclass
class BatchedAnswer:
    """What became of a request.

    Attributes:
        answer: candidates and ranking.
        queued: seconds in the queue.
        seconds: that the model took for the batch.
        batch: requests that were answered with it.
    """

    answer: ExplainedAnswer
    queued: float
    seconds: float
    batch: int


@dataclass
class _Job:
    run: Answerer
    question: TopKRequest
    deadline: float
    came: float
    future: Future[BatchedAnswer] = field(default_factory=Future)


class Batcher:
    """One thread that answers, and the queue before it.

    Args:
        max_batch: requests answered together.
        max_queue: requests that may wait.
        metrics: counts.
    """

    def __init__(self, max_batch: int, max_queue: int, metrics: Metrics) -> None:
        self._max_batch, self._max_queue, self._metrics = max_batch, max_queue, metrics
        self._waiting: deque[_Job] = deque()
        self._pending: dict[int, int] = {}
        """id of a run → its requests that are not done with."""
        self._retired: list[Answerer] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._each = 0.05
        """Seconds that a request takes of the thread, a moving average."""
        self._thread = threading.Thread(target=self._work, name="genrec-model", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread is there to answer."""
        return self._thread.is_alive() and not self._stopped

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def submit(
        self, run: Answerer, questions: Sequence[TopKRequest], deadline: float
    ) -> list[Future[BatchedAnswer]]:
        """Take requests in, all of them or none.

        Args:
            run: that answers them.
            questions: what is asked.
            deadline: `time.monotonic()` after which nobody waits for the answers.

        Raises:
            BusyError: there is no room.
        """
        came = time.monotonic()
        jobs = [_Job(run, question, deadline, came) for question in questions]
        with self._changed:
            if self._stopped or len(self._waiting) + len(jobs) > self._max_queue:
                raise BusyError(max(1, math.ceil(len(self._waiting) * self._each)))
            self._waiting.extend(jobs)
            self._pending[id(run)] = self._pending.get(id(run), 0) + len(jobs)
            self._metrics.waiting.set(len(self._waiting))
            self._changed.notify()
        return [job.future for job in jobs]

    def retire(self, run: Answerer) -> None:
        """Close a run as soon as all its requests are done with."""
        with self._changed:
            self._retired.append(run)
            self._changed.notify()

    def stop(self) -> None:
        """Answer what waits, then end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._close_retired()
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                    self._close_retired()
                if not self._waiting:
                    return
                batch = self._next_batch()
            try:
                self._answer(batch)
            finally:
                with self._changed:
                    self._pending[id(batch[0].run)] -= len(batch)

    def _next_batch(self) -> list[_Job]:
        """The oldest requests, as long as they belong to one run."""
        batch = [self._waiting.popleft()]
        while self._waiting and len(batch) < self._max_batch and self._waiting[0].run is batch[0].run:
            batch.append(self._waiting.popleft())
        self._metrics.waiting.set(len(self._waiting))
        return batch

    def _close_retired(self) -> None:
        for run in [one for one in self._retired if not self._pending.get(id(one))]:
            self._retired.remove(run)
            self._pending.pop(id(run), None)
            run.close()

    def _answer(self, batch: list[_Job]) -> None:
        begin = time.monotonic()
        asked = []
        for job in batch:
            if not job.future.set_running_or_notify_cancel():
                continue
            if job.deadline < begin:
                job.future.set_exception(OverdueError())
            else:
                asked.append(job)
        if not asked:
            return
        found = self._found(asked)
        seconds = time.monotonic() - begin
        self._each += 0.1 * (seconds / len(asked) - self._each)
        self._metrics.batch.observe(len(asked))
        self._metrics.model_seconds.observe(seconds)
        for job, answer in zip(asked, found, strict=True):
            if isinstance(answer, BaseException):
                job.future.set_exception(answer)
            else:
                job.future.set_result(BatchedAnswer(answer, begin - job.came, seconds, len(asked)))

    def _found(self, asked: list[_Job]) -> list[ExplainedAnswer | BaseException]:
        """The answer to each request, or what went wrong with it alone."""
        run = asked[0].run
        try:
            answers = run.answers([job.question for job in asked])
            if len(answers) != len(asked):
                raise ContractError(f"the recommender gave {len(answers)} answers to {len(asked)} requests")
            return list(answers)
        except Exception as error:  # whatever a model raises, the thread and the other requests go on
            if len(asked) == 1:
                return [error]
        found: list[ExplainedAnswer | BaseException] = []
        for job in asked:
            found += self._found([job])
        return found
