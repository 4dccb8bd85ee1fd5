"""Reasons: why a stage runs, or why it does not have to.

A fingerprint says that something differs; people want to know what. The ingredients of the last run of the
same pipeline are in its `plan.json`; comparing the two names the option, the file, the version, the seed or
the stage that changed.

    train.sft   option `trainer.epochs` changed from 3 to 5
    recommend   its input `train.sft` changed
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genrec_core.registry.problems import shown

Ingredients = Mapping[str, Any]


class Why(enum.StrEnum):
    """The kind of reason."""

    REUSED = "reused"
    FIRST_RUN = "first-run"
    OPTION_CHANGED = "option-changed"
    INPUT_CHANGED = "input-changed"
    VERSION_CHANGED = "version-changed"
    CODE_CHANGED = "code-changed"
    SEED_CHANGED = "seed-changed"
    FORCED = "forced"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True)
class Reason:
    """Why a stage runs or is reused.

    Attributes:
        why: the kind.
        what: the option, input stage, file or component that changed; what is damaged.
        old, new: values before and after, where that says something.
    """

    why: Why
    what: str = ""
    old: Any = None
    new: Any = None

    @property
    def text(self) -> str:
        """The reason as a person reads it."""
        change = f"changed from {shown(self.old)} to {shown(self.new)}"
        return {
            Why.REUSED: "already in the store",
            Why.FIRST_RUN: "never ran before",
            Why.OPTION_CHANGED: f"option `{self.what}` {change}",
            Why.INPUT_CHANGED: f"its input `{self.what}` changed",
            Why.VERSION_CHANGED: f"the version of `{self.what}` {change}",
            Why.CODE_CHANGED: f"the code of `{self.what}` was edited",
            Why.SEED_CHANGED: f"the seed {change}",
            Why.FORCED: "asked for with --from",
            Why.DAMAGED: f"its artefact is damaged: {self.what}",
            Why.MISSING: "it ran before, but its artefact is no longer in the store",
        }[self.why]

    def plain(self) -> dict[str, Any]:
        """The reason as JSON."""
        plain = {"why": self.why.value, "what": self.what, "old": self.old, "new": self.new}
        return {**{key: value for key, value in plain.items() if value not in ("", None)}, "text": self.text}


def changed(old: Ingredients | None, new: Ingredients, inputs: Mapping[str, str]) -> Reason:
    """Why a stage with these ingredients has no artefact.

    Args:
        old: the ingredients at the last run, None if there was none.
        new: the ingredients now.
        inputs: role → name of the stage it reads, for the message.
    """
    if old is None:
        return Reason(Why.FIRST_RUN)
    if old == new:
        return Reason(Why.MISSING)
    differences = list(_differences(old, new))
    for find in (_version, _option, _code, _file, _seed):
        reason = find(differences)
        if reason:
            return reason
    for path, _, _ in differences:
        if path[0] == "inputs" and len(path) > 1:
            return Reason(Why.INPUT_CHANGED, inputs.get(path[1], path[1]))
    path, before, after = differences[0]
    return Reason(Why.OPTION_CHANGED, ".".join(path), before, after)


ChangedValue = tuple[tuple[str, ...], Any, Any]


def _differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[ChangedValue]:
    """Every leaf where two JSON values differ; None stands for a value that is not there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from _differences(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, (*path, str(place)))
    elif old != new:
        yield path, old, new


def _version(differences: list[ChangedValue]) -> Reason | None:
    for path, old, new in differences:
        if path == ("version",):
            return Reason(Why.VERSION_CHANGED, "the stage itself", old, new)
        if path[0] == "components" and path[-1] == "version" and path[-2] != "options":
            return Reason(Why.VERSION_CHANGED, _option_path(path[:-1]), old, new)
    return None


def _option(differences: list[ChangedValue]) -> Reason | None:
    """The first changed option; another component (`use`) goes before what follows from it."""
    options = [found for found in differences if found[0][0] in ("components", "settings")]
    options.sort(key=lambda found: found[0][-1] != "use")
    for path, old, new in options:
        return Reason(Why.OPTION_CHANGED, _option_path(path), old, new)
    return None


def _code(differences: list[ChangedValue]) -> Reason | None:
    for path, _, _ in differences:
        if path[0] == "code":
            return Reason(Why.CODE_CHANGED, path[-1])
    return None


def _file(differences: list[ChangedValue]) -> Reason | None:
    for path, _, _ in differences:
        if path[0] == "files":
            return Reason(Why.INPUT_CHANGED, path[-1])
    return None


def _seed(differences: list[ChangedValue]) -> Reason | None:
    for path, old, new in differences:
        if path == ("seed",):
            return Reason(Why.SEED_CHANGED, "", old, new)
    return None


def _option_path(path: tuple[str, ...]) -> str:
    """`components.train.sft.options.corpora.0.use` as people write it: `train.sft.corpora.0.use`."""
    return ".".join(part for part in path[1:] if part != "options")
