"""Results: what a component gives for the toy data, so that two of its results can be compared.

Each kind's module of checks has a function `result` of a subject. The same component must give the same
result in another process, where Python's `hash()` is another one, and with other values of operational
options.

    difference(plain([("a", 1.0)]), plain([("a", 2.0)]))   # "at 0.1: `1.0` and `2.0`"
"""

from __future__ import annotations

import dataclasses
import importlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from genrec_core.contracts.errors import GenrecError
from genrec_core.testing.elsewhere import ask_elsewhere
from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import Broken, NotApplicable


def result_of(subject: Subject) -> Any:
    """What the subject gives, as plain values; computed once for a subject.

    Raises:
        NotApplicable: nothing of this kind can be compared.
    """
    result: Callable[[Subject], Any] | None = getattr(_checks(subject.kind), "result", None)
    if result is None:
        raise NotApplicable(f"a {subject.kind} gives nothing that can be compared")
    if "result" not in subject.made:
        subject.made["result"] = plain_values(result(subject))
    return subject.made["result"]


def plain_values(value: Any) -> Any:
    """A result as lists, dictionaries, texts and numbers."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"class": type(value).__name__, **plain_values(fields)}
    if isinstance(value, Mapping):
        return {str(key): plain_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(entry) for entry in value]
    return value


def difference(first: Any, second: Any, close: float = 0.0, way: str = "") -> str:
    """Where two plain results differ first, empty where they do not.

    Args:
        first, second: from `plain_values`.
        close: how far numbers with a fraction may lie apart, as a share of the larger one (of 1 at least).
        way: what leads here.
    """
    below = f"{way}." if way else ""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        pairs = [(f"{below}{key}", first[key], second[key]) for key in first]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = [(f"{below}{n}", *both) for n, both in enumerate(zip(first, second, strict=True))]
    elif first == second or (first != first and second != second) or _near(first, second, close):
        return ""
    else:
        return f"at {way or 'the top'}: `{_short(first)}` and `{_short(second)}`"
    return next(filter(None, (difference(one, other, close, deeper) for deeper, one, other in pairs)), "")


def result_elsewhere(subject: Subject) -> Any:
    """What the subject gives in a fresh process with another seed of `hash()`.

    Raises:
        NotApplicable: the component cannot be made there: its class is local, or a component among its
            options is not registered under a name.
        Broken: it fails there.
    """
    component = subject.component()
    if "<locals>" in subject.cls.__qualname__ or subject.cls.__module__ == "__main__":
        raise NotApplicable(
            f"`{subject.cls.__qualname__}` is no class of a module, so no other process has it"
        )
    described = component.described()
    options = {name: described[name] for name in subject.options}
    answered = ask_elsewhere(
        "genrec_core.testing.results:answer",
        {
            "kind": subject.kind, "module": subject.cls.__module__, "class": subject.cls.__qualname__,
            "options": options, "name": subject.name,
        },
    )  # fmt: skip
    if "failed" in answered:
        raise Broken(f"in another process it fails: {answered['failed']}")
    if "unmade" in answered:
        raise NotApplicable(f"cannot be made in another process: {answered['unmade']}")
    return answered["result"]


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """The other process's part: make the component that is asked for, and give its result."""
    from genrec_core.registry.discovery import load_plugins

    registry = load_plugins()[0]
    with tempfile.TemporaryDirectory(prefix="genrec-check-") as folder:
        try:
            cls: Any = importlib.import_module(asked["module"])
            for part in asked["class"].split("."):
                cls = getattr(cls, part)
            # Read as from a file: what is a tuple or a path there was written down as a list or a text.
            options = cls.configured(asked["name"], asked["options"], registry).options
            given = {name: getattr(options, name) for name in asked["options"]}
            subject = Subject(asked["kind"], cls, given, registry, Path(folder), asked["name"])
        except (GenrecError, ValidationError, ImportError, AttributeError) as error:
            return {"unmade": str(error).splitlines()[0]}
        return {"result": result_of(subject)}


def _checks(kind: str) -> Any:
    return importlib.import_module(f"genrec_core.testing.checks.{kind}")


def _near(first: Any, second: Any, close: float) -> bool:
    if not (isinstance(first, float) and isinstance(second, float)):
        return False
    return abs(first - second) <= close * max(1.0, abs(first), abs(second))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
