"""Sessions that stay open: a pool that lends each to one thread at a time.

    pool = SessionPool(reader)
    with pool.session(10) as session:
        answers = list(session.answers(requests))

Opening compiles tries and loads weights, so what was opened once is kept. A thread that finds every session
lent out opens another one, which shares the models and the compiled tries. Who wants more recommendations
than the run's recommender writes gets a session that writes as many.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.run_reader import RunReader, RunSession

IDLE = 16
"""Sessions that wait for work; what comes back beyond them is closed."""


class SessionPool:
    """Open sessions of one run.

    Args:
        reader: the run.
    """

    def __init__(self, reader: RunReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._idle: list[tuple[int, RunSession]] = []
        self._closed = False

    @contextlib.contextmanager
    def session(self, k: int) -> Iterator[RunSession]:
        """A session for this thread whose answers have k candidates, where so many exist.

        Raises:
            GenrecError: the pool was closed, or an artefact of the run is gone.
        """
        reaching = self._reaching(k)
        session = self._taken(reaching)
        if session is None:
            with self._opening:  # what is loaded at the first opening is loaded once
                session = self._reader.open(reaching=reaching)
        try:
            yield session
        except BaseException:
            session.close()  # a generator may have been left in the middle
            raise
        self._back(reaching, session)

    def close(self) -> None:
        """Close the sessions that nobody uses; those that are lent out are closed when they come back."""
        with self._lock:
            self._closed, idle = True, self._idle
            self._idle = []
        for _, session in idle:
            session.close()

    def _reaching(self, k: int) -> int:
        """How many candidates to ask for: 0 where the run's own recommender writes enough."""
        most = self._reader.pipeline.spec.recommend.most_candidates()
        return 0 if most is None or k <= most else k

    def _taken(self, reaching: int) -> RunSession | None:
        with self._lock:
            if self._closed:
                raise GenrecError("this run was closed", hint="open it again: `genrec.open(folder)`")
            for place, (width, session) in enumerate(self._idle):
                if width == reaching:
                    del self._idle[place]
                    return session
        return None

    def _back(self, reaching: int, session: RunSession) -> None:
        with self._lock:
            kept = not self._closed and len(self._idle) < IDLE
            if kept:
                self._idle.insert(0, (reaching, session))
        if not kept:
            session.close()
