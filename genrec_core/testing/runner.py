"""Runner: the kit as results, without pytest.

results = check_component("tokenizer", MyTokenizer, {"levels": 2})
print(summary("tokenizer", "my/ids", results))
# tokenizer my/ids: 16 passed, 0 failed, 2 skipped (extends_without_moving_anything: cannot name …)
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from genrec_core.contracts.component import Builder, Component
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.problems import OptionsError, problems_of
from genrec_core.testing.checks import FLOOR, Check, checks_for
from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import Broken, NotApplicable

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class CheckResult:
    """What became of one check.

    Attributes:
        name: the check's function name.
        outcome: `passed`, `failed` or `skipped`.
        reason: why it failed or was skipped; empty when it passed.
    """

    name: str
    outcome: Outcome
    reason: str = ""


def check_component(
    kind: str,
    cls: type[Component],
    options: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    builder: Builder | None = None,
    only: Collection[str] = (),
    may_ask: bool = False,
) -> list[CheckResult]:
    """Run every check of a kind.

    Args:
        kind: what the component is registered as.
        cls: its class.
        options: values as in a pipeline file, or components as in Python.
        name: what to call it.
        builder: where nested components come from; by default every installed plugin.
        only: names of the checks to run; by default all.
        may_ask: whether a teacher may be asked, which can cost money.

    Raises:
        GenrecError: the component cannot be configured with these options, so nothing can be checked.
    """
    builder = builder or load_plugins()[0]
    _require_configurable(Subject(kind, cls, options or {}, builder, Path(), name))
    made: dict[str, Any] = {}
    results = []
    for check in checks_for(kind):
        if only and check.__name__ not in only:
            continue
        with tempfile.TemporaryDirectory(prefix="genrec-check-") as folder:
            subject = Subject(kind, cls, options or {}, builder, Path(folder), name, made, may_ask)
            results.append(_run(check, subject))
    return results


def shortfall(kind: str, results: Sequence[CheckResult]) -> str:
    """Why too few checks ran to mean anything, empty when enough did."""
    ran = sum(result.outcome != "skipped" for result in results)
    if ran >= FLOOR[kind]:
        return ""
    return f"only {ran} checks ran, a {kind} needs at least {FLOOR[kind]}"


def summary_line(kind: str, name: str, results: Sequence[CheckResult]) -> str:
    """One line: how many passed, failed and were skipped, and why those."""
    counts = {outcome: [r for r in results if r.outcome == outcome] for outcome in _OUTCOMES}
    line = ", ".join(f"{len(found)} {outcome}" for outcome, found in counts.items())
    reasons = "; ".join(f"{result.name}: {result.reason}" for result in counts["skipped"])
    return f"{kind} {name}: {line}" + (f" ({reasons})" if reasons else "")


_OUTCOMES: tuple[Outcome, ...] = ("passed", "failed", "skipped")


def _require_configurable(subject: Subject) -> None:
    try:
        subject.component()
    except ValidationError as error:
        raise OptionsError(
            problems_of(error, subject.cls.Options, f"{subject.kind} `{subject.called}`")
        ) from error


def _run(check: Check, subject: Subject) -> CheckResult:
    try:
        check(subject)
    except NotApplicable as verdict:
        return CheckResult(check.__name__, "skipped", str(verdict))
    except Broken as verdict:
        return CheckResult(check.__name__, "failed", str(verdict))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        return CheckResult(check.__name__, "failed", reason)
    return CheckResult(check.__name__, "passed")
