"""What a notebook shows while something lasts: one line of progress under the cell, and what is to be said.

In a terminal the console of the command line is used, elsewhere only warnings are printed.
"""

from __future__ import annotations

import contextlib
import html
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from genrec_core.contracts.context import Advance
from genrec_core.contracts.errors import printable
from genrec_core.pipeline.console import Console, console, echo, far, numbers

EVERY = 0.2
"""Seconds between two updates of a bar."""


class NotebookConsole:
    """Shows bars under the cell of a notebook.

    Args:
        display: `IPython.display`.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._latest: dict[str, float] = {}
        self._handle: Any = None

    def say(self, text: str) -> None:
        """One line of the cell's output."""
        echo(printable(text))

    def figures(self, values: Mapping[str, Any]) -> None:
        """Numbers that a bar shows when it is drawn next."""
        self._latest |= numbers(values)

    def warn(self, text: str) -> None:
        """One line on standard error, which notebooks colour."""
        echo(f"warning: {printable(text)}", err=True)

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A bar in the one line that all of them share; it is empty again when the loop is done."""
        self._latest.clear()
        began, done, shown = time.monotonic(), 0, 0.0
        self._show(self._bar(what, 0, total, 0.0))

        def advance(steps: int) -> None:
            nonlocal done, shown
            done += steps
            if time.monotonic() - shown > EVERY:
                shown = time.monotonic()
                self._show(self._bar(what, done, total, shown - began))

        try:
            yield advance
        finally:
            self._show(self._display.HTML(""))

    def _show(self, shown: Any) -> None:
        if self._handle is None:
            self._handle = self._display.display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def _bar(self, what: str, done: int, total: int | None, seconds: float) -> Any:
        bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
        text = far(what, done, total, seconds, self._latest)
        return self._display.HTML(f"<div>{bar}{html.escape(text)}</div>")


def watching(*, quiet: bool = False) -> Console:
    """The console that suits where this runs."""
    shell = sys.modules.get("IPython")
    inside = shell.get_ipython() if shell is not None else None
    if quiet or inside is None or not hasattr(inside, "kernel"):
        return console(quiet=quiet)
    import IPython.display  # a notebook has it

    return NotebookConsole(IPython.display)
