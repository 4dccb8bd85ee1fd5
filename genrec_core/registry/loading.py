"""Loading: from what was registered under a name to an object that can be used.

Classes and commands are imported only here, and only when somebody asks for one. So the reasons why that can
fail are said here too: a package that is not installed, a plugin that breaks on import, a class of another
kind, a class that leaves out what its kind promises.

    stage `embed` needs the module `scipy`, which is not installed
      → pip install 'genrec-core[engine]'
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrec_core.contracts.errors import PluginError
from genrec_core.registry.problems import shown

if TYPE_CHECKING:
    from genrec_core.contracts.component import Component


_EXTRAS = {
    "torch": "engine",
    "transformers": "engine",
    "tokenizers": "engine",
    "accelerate": "engine",
    "scipy": "engine",
    "gguf": "engine",
    "peft": "lora",
    "trl": "rl",
    "datasets": "rl",
    "pyarrow": "parquet",
    "datasketch": "doctor",
}
"""Module → the extra of genrec-core that brings it."""


@dataclass(frozen=True)
class Registered:
    """One name.

    Attributes:
        kind: of component, or `command` or `section`.
        name: `plugin/name`; a command's own name alone.
        target: a class or a function, or where it is, as `module:name`.
        plugin: who registered it.
        summary: a command's line in `genrec --help`.
    """

    kind: str
    name: str
    target: Any
    plugin: str = ""
    summary: str = ""

    @property
    def place(self) -> str:
        """Where the class is, as `module:Class`."""
        if isinstance(self.target, str):
            return self.target
        return f"{self.target.__module__}:{self.target.__qualname__}"


def load_object(entry: Registered) -> Any:
    """What a registered name stands for, imported now.

    Raises:
        PluginError: it cannot be imported.
    """
    if not isinstance(entry.target, str):
        return entry.target
    module, _, attribute = entry.target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise _missing_package(entry, error) from error
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{entry.kind} `{entry.name}` cannot be loaded from `{entry.target}`: "
            f"{type(error).__name__}: {error}",
            hint="this is a fault of the plugin; `genrec plugins` names its version",
        ) from error


def load(entry: Registered) -> type[Component]:
    """The component class of a registered name.

    Raises:
        PluginError: it cannot be imported, is of another kind, or is not finished.
    """
    from genrec_core.contracts.component import Component

    cls = load_object(entry)
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


MOVED = {"core/openai": ("teachers/openai", "genrec-contrib-teachers")}
"""Old name of a component → its new one, and the package that brings it."""

PACKAGES = {"teachers": "genrec-contrib-teachers", "trackers": "genrec-contrib-trackers"}
"""Plugin → its package, where that is not `genrec-plugin-NAME`."""

COMMANDS = {name: f"genrec-contrib-{name}" for name in ("sweep", "serve", "export")}
"""Command → the package that brings it."""


def package_of(plugin: str) -> str:
    """What to install for a plugin."""
    return PACKAGES.get(plugin, f"genrec-plugin-{plugin}")


def missing_modules(names: Iterable[str]) -> list[str]:
    """Those of these modules that are not installed; none is imported."""
    return [name for name in names if not _found(name)]


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # an import hook that forbids it
        return False
    except ValueError:  # a module without a spec: it is imported already
        return sys.modules.get(module) is not None


def missing_module(error: ModuleNotFoundError) -> str:
    """The top-level name of the module that was not found."""
    return (error.name or "?").partition(".")[0]


def is_of_an_extra(error: ModuleNotFoundError) -> bool:
    """Whether this is the absence of a package that an extra of the core would have brought."""
    return missing_module(error) in _EXTRAS


def not_installed(who: str, error: ModuleNotFoundError, hint: str = "") -> PluginError:
    """The error for the user; `who` needs the module, `hint` replaces the advice to install it."""
    missing = missing_module(error)
    package = f"'genrec-core[{_EXTRAS[missing]}]'" if missing in _EXTRAS else missing
    return PluginError(
        f"{who} needs the module `{error.name}`, which is not installed",
        hint=hint or f"pip install {package}",
    )


def _missing_package(entry: Registered, error: ModuleNotFoundError) -> PluginError:
    ours = missing_module(error) == entry.place.partition(".")[0]
    return not_installed(
        f"{entry.kind} `{entry.name}`", error, hint=f"reinstall plugin `{entry.plugin}`" if ours else ""
    )
