"""Session: a component that was opened for work, to be asked many times.

Opening is where the expensive things happen (tries are compiled, an index is built, weights are loaded);
asking is cheap afterwards. What never changes (tries, indices, weights) may be shared between sessions; what
a session writes while it works is its own, so **one thread at a time** may use a session. A server opens one
for each of its threads.

    with recommender.open(models, catalogue, prompts, context) as session:
        answers = list(session.recommend(requests))
        more = list(session.recommend(others))
"""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Session:
    """Base of what `open` gives; a context manager that closes itself."""

    def close(self) -> None:
        """Let go of what the session holds (processes, connections); closing twice does nothing more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
