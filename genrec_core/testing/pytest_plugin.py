"""Installed with the core as a pytest plugin: says how many contract checks ran, by component.

It is loaded at every pytest start of whoever has genrec-core installed, so it imports nothing but pytest.
"""

from __future__ import annotations

from collections import Counter

import pytest

_OUTCOMES = ("passed", "failed", "skipped")


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
