"""Loading: from what was registered under a name to a class that can be used.

Classes are imported only here and only when a pipeline (or `genrec show`) asks for one, so the reasons why
that can fail are told here too: a package that is not installed, a plugin that breaks on import, a class
of another kind, a class that leaves out what its kind promises.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from genrec_core.contracts.component import Component
from genrec_core.contracts.errors import PluginError
from genrec_core.registry.missing import missing_module, not_installed
from genrec_core.registry.problems import shown

Target = type[Component] | str
"""A class, or a lazy `package.module:Class`."""


@dataclass(frozen=True)
class Registered:
    """One name: `kind` of component and where its class is."""

    kind: str
    name: str
    target: Target

    @property
    def place(self) -> str:
        """Where the class is, as `module:Class`."""
        if isinstance(self.target, str):
            return self.target
        return f"{self.target.__module__}:{self.target.__qualname__}"


def load(entry: Registered) -> type[Component]:
    """The class of a registered name.

    Raises:
        PluginError: it cannot be imported, is of another kind, or is not finished.
    """
    cls: Any = entry.target
    if isinstance(entry.target, str):
        module, _, attribute = entry.target.partition(":")
        try:
            cls = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise _missing_package(entry, error) from error
        except Exception as error:
            raise PluginError(
                f"{entry.kind} `{entry.name}` cannot be loaded from `{entry.target}`: "
                f"{type(error).__name__}: {error}",
                hint="this is a fault of the plugin; `genrec plugins` names its version",
            ) from error
    if not (isinstance(cls, type) and issubclass(cls, Component) and cls.kind == entry.kind):
        raise PluginError(
            f"`{entry.name}` is registered as a {entry.kind}, but {shown(cls)} is none",
            hint=f"derive the class from `genrec_core.{entry.kind.capitalize()}`",
        )
    unwritten = sorted(
        name for name in dir(cls) if getattr(getattr(cls, name), "__isabstractmethod__", False)
    )
    if unwritten:
        raise PluginError(f"{entry.kind} `{entry.name}` does not implement `{'`, `'.join(unwritten)}`")
    return cls


def _missing_package(entry: Registered, error: ModuleNotFoundError) -> PluginError:
    plugin, _, _ = entry.name.partition("/")
    ours = missing_module(error) == entry.place.partition(".")[0]
    return not_installed(
        f"{entry.kind} `{entry.name}`", error, hint=f"reinstall plugin `{plugin}`" if ours else ""
    )
