"""Installed with the core as a pytest plugin: how many contract checks ran, by component, and `genrec`.

    def test_my_pipeline_checks(genrec):
        assert "ok" in genrec("check", "tiny.yaml")

It is loaded at every pytest start of whoever has genrec-core installed, so it imports nothing but pytest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.metadata import entry_points

import pytest

_OUTCOMES = ("passed", "failed", "skipped")


@pytest.fixture
def genrec(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command in this process, which must succeed, and gives what it printed."""

    def go(*arguments: object) -> str:
        main = entry_points(group="console_scripts")["genrec"].load()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        assert not ended.value.code, shown.err
        return shown.out

    return go


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for every component that a contract class checked."""
    counts: dict[str, Counter[str]] = {}
    for outcome in _OUTCOMES:
        for report in terminalreporter.stats.get(outcome, ()):
            checked = dict(getattr(report, "user_properties", ())).get("genrec")
            if checked:
                counts.setdefault(checked, Counter())[outcome] += 1
    if not counts:
        return
    terminalreporter.section("genrec contracts")
    for checked, outcomes in sorted(counts.items()):
        line = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in _OUTCOMES)
        terminalreporter.write_line(f"{checked}: {line}")
