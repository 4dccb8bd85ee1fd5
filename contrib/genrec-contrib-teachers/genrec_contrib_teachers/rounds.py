"""Many requests to one server: several at a time, each tried again with growing pauses, answers as they come.

A server that is busy says so, and then all wait: the pause that a rate limit asks for holds every worker, not
only the one whose request it was. When one request fails for good, no further one begins; those under way may
still finish, and are delivered, before the failure is raised. So nothing that was paid for is lost.

Requests live in an event loop on a thread of its own (`LoopThread`), so that a session works in a notebook as
well, where the main thread has a loop already. It is a daemon: Ctrl-C ends the program at once instead of
after the slowest answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from genrec_contrib_teachers.chat_server import RequestFailure
from genrec_core import Answer

Send = Callable[[int], Awaitable[Answer]]
Deliver = Callable[[int, Answer], None]


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


class _Round:
    """One pass over the requests; workers take the next number until none is left or one has failed."""

    def __init__(self, count: int, send: Send, patience: Patience, tally: Tally, deliver: Deliver) -> None:
        self.send, self.patience, self.tally, self.deliver = send, patience, tally, deliver
        self.stopped = asyncio.Event()
        self._numbers = iter(range(count))
        self._not_before = 0.0

    async def work(self) -> None:
        """One worker's life."""
        for number in self._numbers:
            if self.stopped.is_set():
                return
            try:
                answer = await self._answer(number)
            except Exception:
                self.stopped.set()
                raise
            if answer is None:
                return
            self.deliver(number, answer)

    async def _answer(self, number: int) -> Answer | None:
        """The answer to one request; None if the round stopped while it waited."""
        tried = 0
        while await self._waited():
            tried += 1
            try:
                return await self.send(number)
            except RequestFailure as failure:
                wait = self.patience.before(tried, failure.wait)
                if not failure.again or tried > self.patience.retries or wait > self.patience.longest:
                    raise
                self.tally.retried += 1
                self.tally.limited += failure.limited
                if failure.limited:
                    self._not_before = max(self._not_before, _now() + wait)
                else:
                    await self._pause(wait)
        return None

    async def _waited(self) -> bool:
        """Wait until requests may go out; False if the round stopped meanwhile."""
        while not self.stopped.is_set():
            left = self._not_before - _now()
            if left <= 0:
                return True
            await self._pause(left)
        return False

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopped.wait(), seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def send_all(
    count: int, send: Send, deliver: Deliver, *, workers: int, patience: Patience, tally: Tally
) -> None:
    """Send requests 0 … count - 1 and deliver each answer as it comes.

    Args:
        count: number of requests.
        send: sends the request of that number; raises `RequestFailure`.
        deliver: is given the number of a request and its answer.
        workers: requests under way at a time.
        patience: how often and how long to wait.
        tally: counts tries.

    Raises:
        Failure: a request failed for good; all answers that still came have been delivered.
    """
    turn = _Round(count, send, patience, tally, deliver)
    ended = await asyncio.gather(*(turn.work() for _ in range(min(workers, count))), return_exceptions=True)
    for error in ended:
        if isinstance(error, BaseException):
            raise error


class LoopThread:
    """An event loop on a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run to its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def delivered(self, work: Callable[[Deliver], Coroutine[Any, Any, None]]) -> Iterator[tuple[int, Answer]]:
        """What `work` delivers, as it comes; then what it raises. It is cancelled when nobody wants more."""
        arrived: queue.SimpleQueue[tuple[int, Answer] | None] = queue.SimpleQueue()
        future = asyncio.run_coroutine_threadsafe(
            work(lambda number, answer: arrived.put((number, answer))), self._loop
        )
        future.add_done_callback(lambda _: arrived.put(None))
        try:
            while (one := arrived.get()) is not None:
                yield one
            future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """Stop the loop; what is still under way is given up."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5.0)
