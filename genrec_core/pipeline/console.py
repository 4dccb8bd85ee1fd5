"""Console: what a person sees while a pipeline runs, and the one place that writes to terminals.

On a terminal: one line a stage with the reason it runs, and bars for everything that lasts, with the
figures that were logged last. Elsewhere (pipes, cron) warnings, and now and then a line about a long loop:

    training: 1,200 of 4,000, 3.1/s, 15 min left, epoch 3, loss 2.31, recall@10 0.0842

Progress and warnings go to standard error; standard output belongs to results.

Titles, data values and servers' answers are somebody else's text. Whatever is written here has its control
characters written out, so that a title can neither clear the screen nor fake a row:

    >>> echo("1  Tent\\x1b[2J")
    1  Tent\\x1b[2J
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
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

    def figures(self, values: Mapping[str, Any]) -> None:
        """What a stage logged while a loop runs; numbers are shown beside it."""

    def warn(self, text: str) -> None:
        """One line that must be seen, whoever watches."""


class _PlainConsole:
    """No terminal: warnings get through, as plain lines on standard error."""

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """One line on standard error."""
        echo(f"warning: {printable(text)}", err=True)


class QuietConsole(_PlainConsole):
    """Nobody watches."""

    progress: Progress = staticmethod(silent)

    def figures(self, values: Mapping[str, Any]) -> None:
        """Nothing."""


class LineConsole(_PlainConsole):
    """No terminal, but somebody may look at the output: a plain line every half minute of a loop."""

    EVERY = 30.0
    """Seconds between two lines."""

    def __init__(self) -> None:
        self._latest: dict[str, float] = {}

    def figures(self, values: Mapping[str, Any]) -> None:
        """Numbers that the next line holds."""
        self._latest |= numbers(values)

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A line about this loop whenever the last one is old enough; none if it is over before."""
        self._latest.clear()
        began = told = time.monotonic()
        done = 0

        def advance(steps: int) -> None:
            nonlocal done, told
            done += steps
            now = time.monotonic()
            if now - told >= self.EVERY:
                told = now
                echo(far(what, done, total, now - began, self._latest), err=True)

        yield advance


class RichConsole:
    """A terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        self._console = terminal(err=True)
        text = TextColumn("  {task.description}", markup=False)

        class Figures(TextColumn):
            """Speed, and what was logged last."""

            def render(self, task: Any) -> Text:
                speed = f"{task.speed:.3g}/s " if task.speed else ""
                return Text(printable(speed + spelled(task.fields["figures"])))

        columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), Figures(""))
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._open = 0

    def say(self, text: str) -> None:
        """One line, above the bars."""
        self._console.print(printable(text), markup=False)

    def figures(self, values: Mapping[str, Any]) -> None:
        """Numbers beside the innermost bar."""
        if self._bars.tasks:
            self._bars.tasks[-1].fields["figures"].update(numbers(values))

    def warn(self, text: str) -> None:
        """One line, above the bars."""
        self._console.print(f"warning: {printable(text)}", markup=False, style="yellow")

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A bar that disappears when its loop is done; loops inside each other share one display."""
        if not self._open:
            self._bars.start()
        self._open += 1
        task = self._bars.add_task(printable(what), total=total, figures={})
        try:
            yield lambda steps: self._bars.advance(task, steps)
        finally:
            self._bars.remove_task(task)
            self._open -= 1
            if not self._open:
                self._bars.stop()


def console(*, quiet: bool = False) -> Console:
    """A rich console on a terminal, one of plain lines elsewhere, a quiet one when asked to be quiet."""
    if quiet:
        return QuietConsole()
    return RichConsole() if sys.stderr.isatty() else LineConsole()


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among what was logged, but for steps, which a bar shows already."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and name != "step"
    }


def spelled(figures: Mapping[str, float]) -> str:
    """Figures as a person reads them: `epoch 3, loss 2.31`."""
    return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())


def far(what: str, done: int, total: int | None, seconds: float, figures: Mapping[str, float]) -> str:
    """How far a loop is, in one line.

    >>> far("training", 1200, 4000, 400.0, {"epoch": 3, "loss": 2.31})
    'training: 1,200 of 4,000, 3/s, 16 min left, epoch 3, loss 2.31'
    """
    parts = [f"{done:,} of {total:,}" if total else f"{done:,}"]
    if done and seconds:
        parts.append(f"{done / seconds:.3g}/s")
        if total and done < total:
            left = (total - done) * seconds / done
            parts.append(f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left")
    return f"{printable(what)}: {', '.join([*parts, spelled(figures)]).removesuffix(', ')}"


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Write a text of one or more lines; what is in a line comes through `printable`.

    A value from outside that may hold line breaks is passed through `printable` before it becomes part of
    the text.
    """
    click.echo(printable(text, lines=True), err=err, nl=nl)


def echo_json(value: Any, *, indent: bool = True) -> None:
    """Write one JSON document; control characters are escaped as JSON does."""
    options = orjson.OPT_SERIALIZE_NUMPY | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        text = orjson.dumps(value, option=options, default=str).decode()
    except orjson.JSONEncodeError:  # the name of a file that is not UTF-8, which JSON can only escape
        text = json.dumps(value, indent=2 if indent else None, default=_plain)
    click.echo("".join(f"\\u{ord(char):04x}" if "\x7f" <= char <= "\x9f" else char for char in text))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


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
