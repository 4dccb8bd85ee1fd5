"""Discovery: installed plugins, loaded one by one.

Each entry point of the group `genrec` gets a plugin manager of its own, so that one plugin's mistake
(an exception on import, a misspelled hook, a name taken) is a line in `genrec plugins` and an error only
for a pipeline that needs it. The environment variable `GENREC_PLUGINS` (names with commas between) limits
what is loaded; `core` always is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points

import pluggy

from genrec_core.contracts.errors import PluginError
from genrec_core.registry import hooks
from genrec_core.registry.loading import Registered
from genrec_core.registry.registry import Registry

GROUP = "genrec"
ALLOW = "GENREC_PLUGINS"
CORE = "core"


@dataclass(frozen=True)
class PluginReport:
    """What became of one plugin.

    Attributes:
        name: its entry point's name, the part before the slash of its components' names.
        distribution: the installed package it came from; empty when there is none.
        version: that package's version.
        components: what it registered; empty when it is not usable.
        error: why it is not usable; empty when it is.
        disabled: left out by `GENREC_PLUGINS`, so not even imported.
    """

    name: str
    distribution: str = ""
    version: str = ""
    components: tuple[Registered, ...] = ()
    error: str = ""
    disabled: bool = False


def load_plugins(environment: Mapping[str, str] | None = None) -> tuple[Registry, list[PluginReport]]:
    """A registry with everything that can be loaded, and a report on every plugin.

    Args:
        environment: where `GENREC_PLUGINS` is looked up; the process's by default.
    """
    allowed = _allowed(os.environ if environment is None else environment)
    registry = Registry()
    reports: list[PluginReport] = []
    found = sorted(entry_points(group=GROUP), key=_order)
    taken: dict[str, str] = {}
    for entry in found:
        report = _load(entry, registry, allowed, taken)
        if report.error and not any(entry.name == done.name for done in reports):
            registry.mark_absent(report.name, report.error)
        reports.append(report)
    reports += _not_installed(allowed, {entry.name for entry in found}, registry)
    return registry, reports


def _allowed(environment: Mapping[str, str]) -> set[str] | None:
    """The names that may be loaded, None for all."""
    listed = environment.get(ALLOW)
    if listed is None or not listed.strip():
        return None
    return {name.strip() for name in listed.split(",") if name.strip()} | {CORE}


def _order(entry: EntryPoint) -> tuple[bool, str, bool, str]:
    """Core first; of two packages that claim one name, ours and then the alphabetically first wins."""
    package = _distribution(entry)[0]
    return (entry.name != CORE, entry.name, package != "genrec-core", package)


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("", "")


def _load(
    entry: EntryPoint, registry: Registry, allowed: set[str] | None, taken: dict[str, str]
) -> PluginReport:
    package, version = _distribution(entry)
    report = PluginReport(entry.name, package, version)
    if allowed is not None and entry.name not in allowed:
        return replace(report, error=f"switched off by {ALLOW}", disabled=True)
    if entry.name in taken:
        return replace(report, error=f"the name is already taken by the package `{taken[entry.name]}`")
    taken[entry.name] = package
    try:
        own = _registered(entry)
        registry.adopt(own)
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return replace(report, error=reason)
    return replace(report, components=tuple(own))


def _registered(entry: EntryPoint) -> Registry:
    """What one plugin registers, in a registry of its own."""
    module = entry.load()
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(module, name=entry.name)
    manager.check_pending()
    if not manager.hook.genrec_register.get_hookimpls():
        raise PluginError(
            f"`{entry.value}` has no function `genrec_register` marked with `@hookimpl`",
            hint="from genrec_core import hookimpl",
        )
    own = Registry(entry.name)
    manager.hook.genrec_register(registry=own)
    return own


def _not_installed(allowed: set[str] | None, found: Iterable[str], registry: Registry) -> list[PluginReport]:
    """Plugins that the allow-list names but nobody installed."""
    reports = []
    for name in sorted((allowed or set()) - set(found)):
        reason = f"{ALLOW} names it, but it is not installed"
        registry.mark_absent(name, f"{reason}; pip install genrec-plugin-{name}")
        reports.append(PluginReport(name, error=reason))
    return reports
