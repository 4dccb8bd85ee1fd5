"""Checks by kind: each module lists its own in `CHECKS`, each check is a function of a `Subject`.

A check returns when the promise is kept, raises `Broken` when not, `NotApplicable` when there is nothing to
check. Its docstring is the promise.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from genrec_core.testing.checks import any_kind
from genrec_core.testing.subject import Subject

Check = Callable[[Subject], None]

FLOOR = {
    "source": 9, "split": 10, "encoder": 13, "teacher": 5, "tokenizer": 13, "corpus": 10, "backbone": 8,
    "trainer": 9, "loss": 8, "reward": 10, "recommender": 10, "grounder": 11, "baseline": 14, "observer": 6,
}  # fmt: skip
"""How many checks of a kind must have run at least: a battery that skips nearly everything is not green."""


def checks_for(kind: str) -> tuple[Check, ...]:
    """Every check of a kind: those for all components first."""
    module = importlib.import_module(f"genrec_core.testing.checks.{kind}")
    own: tuple[Check, ...] = module.CHECKS
    return (*any_kind.CHECKS, *own)
