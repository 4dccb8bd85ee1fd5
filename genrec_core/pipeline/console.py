"""Console: what a person sees while a pipeline runs.

On a terminal: one line a stage with the reason it runs, and bars for everything that lasts. Elsewhere
(pipes, notebooks' logs, cron) nothing, so that output stays clean for machines. Everything goes to standard
error; standard output belongs to results.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

from genrec_core.contracts.context import Advance, Progress, silent


class Console(Protocol):
    """Shows how far a run is."""

    @property
    def progress(self) -> Progress:
        """Bars for loops; see `Context.progress`."""

    def say(self, text: str) -> None:
        """One line."""


class QuietConsole:
    """Nobody watches; only warnings get through, as plain lines on standard error."""

    progress: Progress = staticmethod(silent)

    def say(self, text: str) -> None:
        """Nothing."""


class RichConsole:
    """A terminal."""

    def __init__(self) -> None:
        import rich.console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = rich.console.Console(stderr=True, highlight=False)
        text = TextColumn("  {task.description}")
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._open = 0

    def say(self, text: str) -> None:
        """One line, above the bars."""
        self._console.print(text, markup=False)

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A bar that disappears when its loop is done; loops inside each other share one display."""
        if not self._open:
            self._bars.start()
        self._open += 1
        task = self._bars.add_task(what, total=total)
        try:
            yield lambda steps: self._bars.advance(task, steps)
        finally:
            self._bars.remove_task(task)
            self._open -= 1
            if not self._open:
                self._bars.stop()


def console(*, quiet: bool = False) -> Console:
    """A rich console on a terminal, a quiet one elsewhere or when asked to be quiet."""
    return RichConsole() if sys.stderr.isatty() and not quiet else QuietConsole()
