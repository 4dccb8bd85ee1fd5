"""Console: what a person sees while a pipeline runs, and the one place that writes to terminals.

On a terminal: one line a stage with the reason it runs, and bars for everything that lasts. Elsewhere
(pipes, notebooks' logs, cron) only warnings, so that output stays clean for machines. Progress and warnings
go to standard error; standard output belongs to results.

Titles, data values and servers' answers are somebody else's text. Whatever is written here has its control
characters written out, so that a title can neither clear the screen nor fake a row:

    >>> echo("1  Tent\\x1b[2J")
    1  Tent\\x1b[2J
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import click
import orjson

from genrec_core.contracts.context import Advance, Progress, silent
from genrec_core.contracts.errors import printable

if TYPE_CHECKING:
    import rich.console


class Console(Protocol):
    """Shows how far a run is."""

    @property
    def progress(self) -> Progress:
        """Bars for loops; see `Context.progress`."""

    def say(self, text: str) -> None:
        """One line that a person who watches wants to see."""

    def warn(self, text: str) -> None:
        """One line that must be seen, whoever watches."""


class QuietConsole:
    """Nobody watches; only warnings get through, as plain lines on standard error."""

    progress: Progress = staticmethod(silent)

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """One line on standard error."""
        echo(f"warning: {printable(text)}", err=True)


class RichConsole:
    """A terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = terminal(err=True)
        text = TextColumn("  {task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._open = 0

    def say(self, text: str) -> None:
        """One line, above the bars."""
        self._console.print(printable(text), markup=False)

    def warn(self, text: str) -> None:
        """One line, above the bars."""
        self._console.print(f"warning: {printable(text)}", markup=False, style="yellow")

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A bar that disappears when its loop is done; loops inside each other share one display."""
        if not self._open:
            self._bars.start()
        self._open += 1
        task = self._bars.add_task(printable(what), total=total)
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


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Write a text of one or more lines; what is in a line comes through `printable`.

    A value from outside that may hold line breaks is passed through `printable` before it becomes part of
    the text.
    """
    click.echo(printable(text, lines=True), err=err, nl=nl)


def echo_json(value: Any, *, indent: bool = True) -> None:
    """Write one JSON document; control characters are escaped as JSON does."""
    options = orjson.OPT_SERIALIZE_NUMPY | (orjson.OPT_INDENT_2 if indent else 0)
    text = orjson.dumps(value, option=options, default=str).decode()
    click.echo("".join(f"\\u{ord(char):04x}" if "\x7f" <= char <= "\x9f" else char for char in text))


def terminal(*, err: bool = False) -> rich.console.Console:
    """Rich's console, for tables: colours are its own, the texts it is given come through `printable`."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Terminal(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                text = segment.text if segment.control else printable(segment.text, lines=True)
                yield Segment(text, segment.style, segment.control)

    return Terminal(stderr=err, highlight=False)
