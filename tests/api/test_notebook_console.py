"""What a notebook shows: one line that every bar uses, and lines of text."""

from __future__ import annotations

from types import SimpleNamespace

from genrec_core.api import notebook
from genrec_core.api.notebook import NotebookConsole, watching
from genrec_core.pipeline.console import QuietConsole


class Handle:
    def __init__(self, shown):
        self.shown = shown

    def update(self, html):
        self.shown.append(html)


def test_bars_share_one_line_that_is_empty_at_the_end(monkeypatch, capsys):
    shown, handles = [], []

    def display(html, display_id):
        handles.append(Handle(shown))
        shown.append(html)
        return handles[-1]

    monkeypatch.setattr(notebook, "EVERY", 0.0)
    console = NotebookConsole(SimpleNamespace(display=display, HTML=lambda text: text))
    for what in ("first", "<second>"):
        with console.progress(what, 2) as advance:
            advance(1)
            advance(1)
    assert len(handles) == 1
    assert '<progress value="1" max="2">' in shown[1]
    assert "first" in shown[1]
    assert "&lt;second&gt;" in shown[4]
    assert shown[3] == shown[-1] == ""
    console.say("✓ model\x1b[2J")
    console.warn("odd")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("✓ model\\x1b[2J\n", "warning: odd\n")


def test_elsewhere_the_command_lines_console_is_used():
    assert isinstance(watching(quiet=True), QuietConsole)
