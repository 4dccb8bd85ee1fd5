"""Many requests to one server: several at a time, each tried again with growing pauses, answers as they come.

A server that is busy says so, and then all wait: the pause that a rate limit asks for holds every worker,
not only the one that was told. When one request fails for good, no further one begins; those under way may
still finish, and are yielded, before the failure is raised. So nothing that was paid for is lost.

Workers are daemon threads: Ctrl-C ends the program at once instead of after the slowest answer.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from genrec_core.builtin.chat_server import Failure
from genrec_core.contracts.teacher import Answer

Send = Callable[[int], Answer]


@dataclass(frozen=True)
class Patience:
    """How hard it is tried.

    Attributes:
        retries: more tries of one request after the first.
        pause: seconds before the second try; doubled for every further one.
        longest: no pause is longer; a server that asks for more is given up.
    """

    retries: int
    pause: float
    longest: float

    def before(self, tried: int, asked: float | None) -> float:
        """Seconds to wait after so many tries, when the server asks for `asked`."""
        # The exponent is bounded only because a float cannot hold 2 ** 2000.
        growing = self.pause * 2.0 ** min(tried - 1, 60)
        return max(min(growing, self.longest), asked or 0.0)


@dataclass
class Tally:
    """What a round of requests came to.

    Attributes:
        retried: tries beyond the first of each request.
        limited: how many of them followed a rate limit.
    """

    retried: int = 0
    limited: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def again(self, failure: Failure) -> None:
        """Count one more try after a failure."""
        with self._lock:
            self.retried += 1
            self.limited += failure.limited


class _Round:
    """One pass over the requests; workers take the next number until none is left or one has failed."""

    def __init__(self, count: int, send: Send, patience: Patience, tally: Tally) -> None:
        self.send, self.patience, self.tally = send, patience, tally
        self.outcomes: queue.SimpleQueue[tuple[int, Answer | BaseException] | None] = queue.SimpleQueue()
        self.stopped = threading.Event()
        self._numbers = iter(range(count))
        self._lock = threading.Lock()
        self._not_before = 0.0

    def work(self) -> None:
        """One worker's life."""
        while not self.stopped.is_set():
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                break
            try:
                outcome: Answer | BaseException | None = self._answer(number)
            except BaseException as error:  # handed to the caller, who raises it
                self.stopped.set()
                outcome = error
            if outcome is not None:
                self.outcomes.put((number, outcome))
        self.outcomes.put(None)

    def _answer(self, number: int) -> Answer | None:
        """The answer to one request; None if the round stopped while it waited."""
        tried = 0
        while self._waited():
            tried += 1
            try:
                return self.send(number)
            except Failure as failure:
                wait = self.patience.before(tried, failure.wait)
                if not failure.again or tried > self.patience.retries or wait > self.patience.longest:
                    raise
                self.tally.again(failure)
                if failure.limited:
                    self._hold(wait)
                elif self.stopped.wait(wait):
                    return None
        return None

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _waited(self) -> bool:
        """Wait until requests may go out; False if the round stopped meanwhile."""
        while not self.stopped.is_set():
            with self._lock:
                left = self._not_before - time.monotonic()
            if left <= 0:
                return True
            self.stopped.wait(left)
        return False


def replies(
    count: int, send: Send, *, workers: int, patience: Patience, tally: Tally
) -> Iterator[tuple[int, Answer]]:
    """The replies to requests 0 … count - 1, in the order in which they come.

    Args:
        count: number of requests.
        send: sends the request of that number; raises `Failure`.
        workers: requests under way at a time.
        patience: how often and how long to wait.
        tally: counts tries.

    Raises:
        Failure: a request failed for good; all replies that still came have been yielded.
    """
    turn = _Round(count, send, patience, tally)
    running = min(workers, count)
    for _ in range(running):
        threading.Thread(target=turn.work, daemon=True).start()
    failure: BaseException | None = None
    try:
        while running:
            outcome = turn.outcomes.get()
            if outcome is None:
                running -= 1
            elif isinstance(outcome[1], Answer):
                yield outcome[0], outcome[1]
            else:
                failure = failure or outcome[1]
    finally:
        turn.stopped.set()
    if failure is not None:
        raise failure
