"""Subject: the component under test, and the toy world it is tested in."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrec_core.contracts.baseline import Baseline, Fitted
from genrec_core.contracts.component import Builder, Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Training
from genrec_core.testing.toy import toy_training

SEED = 7


@dataclass(frozen=True)
class Subject:
    """What a check is given.

    Attributes:
        kind: the kind the component is registered as.
        cls: its class.
        options: what to configure it with: values as in a pipeline file, or components as in Python.
        builder: turns nested `{use: ...}` blocks into components; a registry.
        workspace: a folder of this check alone.
        name: what to call the component; by default its class's place.
        may_ask: whether a teacher may be asked, which can cost money.
    """

    kind: str
    cls: type[Component]
    options: Mapping[str, Any]
    builder: Builder
    workspace: Path
    name: str = ""
    made: dict[str, Any] = field(default_factory=dict, repr=False)
    may_ask: bool = False

    def component(self, **changes: Any) -> Any:
        """A fresh component with the subject's options, some changed.

        Raises:
            pydantic.ValidationError: the options do not fit.
        """
        component = self.cls.__new__(self.cls)
        values = dict(self.options) | changes
        component.options = self.cls.Options.model_validate(
            values, strict=False, context={"builder": self.builder}
        )
        component.name = self.called
        return component

    @property
    def called(self) -> str:
        """The component's name in messages."""
        return self.name or f"{self.cls.__module__}.{self.cls.__qualname__}"

    def context(self, folder: str = "") -> Context:
        """A context with the kit's seed; with `folder`, its workspace is that one."""
        if not folder:
            return Context(seed=SEED, fitter=_fitted)
        workspace = self.workspace / folder
        workspace.mkdir(parents=True, exist_ok=True)
        return Context(seed=SEED, workspace=workspace, fitter=_fitted)

    def overrides(self, method: str) -> bool:
        """Whether the component implements a method that its kind leaves optional."""
        kind = next(base for base in reversed(self.cls.__mro__) if getattr(base, "kind", "") == self.kind)
        return getattr(self.cls, method) is not getattr(kind, method)


def _fitted(baseline: Baseline, items: Items, training: Training | None, context: Context) -> Fitted:
    """What a nested baseline learns from the toy data, which a run would have fitted before."""
    return baseline.fit(items, training or toy_training(), context)


def snapshot(*values: Any) -> Any:
    """A deep copy, to compare with after a call that must not change its inputs."""
    return copy.deepcopy(values)
