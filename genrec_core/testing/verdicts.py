"""Verdicts: how a check says that a promise is broken, or that it does not apply."""

from __future__ import annotations


class Broken(AssertionError):  # noqa: N818 - read as `raise Broken`
    """The component broke a promise of its kind; the message names the promise and the breach."""


class NotApplicable(Exception):  # noqa: N818 - no error: a verdict
    """The check does not apply to this component; the message says why."""


def require(promise: object, breach: str) -> None:
    """Raise `Broken` with `breach` unless `promise` holds."""
    if not promise:
        raise Broken(breach)
