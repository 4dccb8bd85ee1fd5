"""Discovery: installed plugins, loaded one by one.

A plugin is an entry point of the group `genrec`, whose module implements one hook, `genrec_register`. Each
gets a plugin manager of its own, so that one plugin's mistake (an exception on import, a misspelled hook, a
name taken) is a line in `genrec plugins` and an error only for who needs it. Where two packages claim one
name, neither is used: which of them is meant cannot be known. The environment variable `GENREC_PLUGINS`
(names with commas between) limits what is loaded; `core` always is.

    sid  (genrec-plugin-sid 0.1.0)  BROKEN: two packages claim the name `sid`: `genrec-plugin-sid`, `sidney`
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points

import pluggy

from genrec_core.contracts.errors import PluginError, examples
from genrec_core.registry.loading import Registered, package_of
from genrec_core.registry.registry import Registry

PROJECT = GROUP = "genrec"
ALLOW = "GENREC_PLUGINS"
CORE = "core"
CORE_PACKAGE = "genrec-core"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def genrec_register(registry: Registry) -> None:
    """Register what the plugin provides: `registry.tokenizer("hashed", "package.module:Hashed")`.

    A component's full name is the entry point's name, a slash and the name given here. The second argument
    is a class or a lazy `"package.module:Class"`; lazy ones keep `genrec plugins` free of torch.
    """


@dataclass(frozen=True)
class PluginReport:
    """What became of one plugin.

    Attributes:
        name: its entry point's name, the part before the slash of its components' names.
        distribution: the installed package it came from; empty when there is none.
        version: that package's version.
        components: what it registered; empty when it is not usable.
        extensions: the commands and sections of the report that it registered; likewise.
        error: why it is not usable; empty when it is.
        disabled: left out by `GENREC_PLUGINS`, so not even imported.
    """

    name: str
    distribution: str = ""
    version: str = ""
    components: tuple[Registered, ...] = ()
    extensions: tuple[Registered, ...] = ()
    error: str = ""
    disabled: bool = False


def load_plugins(environment: Mapping[str, str] | None = None) -> tuple[Registry, list[PluginReport]]:
    """A registry with everything that can be loaded, and a report on every plugin.

    Args:
        environment: where `GENREC_PLUGINS` is looked up; the process's by default.
    """
    allowed = _allowed(os.environ if environment is None else environment)
    found = sorted(entry_points(group=GROUP), key=_order)
    claims: dict[str, list[str]] = {}
    for entry in found:
        claims.setdefault(entry.name, []).append(_distribution(entry)[0])
    loaded = [_load(entry, allowed, claims[entry.name]) for entry in found]
    taken = Counter(one.name for _, own in loaded if own for one in own.extensions("command"))
    registry, reports = Registry(), []
    for report, own in loaded:
        report = _adopted(report, own, taken, registry)
        if report.error and not (report.name == CORE and report.distribution != CORE_PACKAGE):
            registry.mark_absent(report.name, report.error)
        reports.append(report)
    reports += _not_installed(allowed, claims, registry)
    return registry, reports


def _allowed(environment: Mapping[str, str]) -> set[str] | None:
    """The names that may be loaded, None for all."""
    listed = environment.get(ALLOW)
    if listed is None or not listed.strip():
        return None
    return {name.strip() for name in listed.split(",") if name.strip()} | {CORE}


def _order(entry: EntryPoint) -> tuple[bool, str, bool, str]:
    """Core first, then by name; the core's own package before any other that calls itself so."""
    package = _distribution(entry)[0]
    return (entry.name != CORE, entry.name, package != CORE_PACKAGE, package)


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("", "")


def _load(
    entry: EntryPoint, allowed: set[str] | None, claimants: list[str]
) -> tuple[PluginReport, Registry | None]:
    """What one plugin registers, in a registry of its own; None when it is not usable."""
    package, version = _distribution(entry)
    report = PluginReport(entry.name, package, version)
    if allowed is not None and entry.name not in allowed:
        return replace(report, error=f"switched off by {ALLOW}", disabled=True), None
    if entry.name == CORE and package != CORE_PACKAGE and CORE_PACKAGE in claimants:
        return replace(report, error=f"the name is already taken by the package `{CORE_PACKAGE}`"), None
    if len(claimants) > 1 and entry.name != CORE:
        named = examples(claimants, len(claimants))
        reason = f"{len(claimants)} packages claim the name `{entry.name}`: {named}; uninstall all but one"
        return replace(report, error=reason), None
    try:
        return report, _registered(entry)
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return replace(report, error=reason), None


def _registered(entry: EntryPoint) -> Registry:
    module = entry.load()
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(sys.modules[__name__])
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


def _adopted(
    report: PluginReport, own: Registry | None, taken: Mapping[str, int], registry: Registry
) -> PluginReport:
    """The report on a plugin after its names went into the registry, or after they were refused."""
    if own is None:
        return report
    twice = [one.name for one in own.extensions("command") if taken[one.name] > 1]
    if twice and report.name != CORE:
        return replace(report, error=f"the command `{twice[0]}` is also registered by another plugin")
    registry.adopt(own)
    return replace(report, components=tuple(own), extensions=tuple(own.extensions()))


def _not_installed(allowed: set[str] | None, found: Iterable[str], registry: Registry) -> list[PluginReport]:
    """Plugins that the allow-list names but nobody installed."""
    reports = []
    for name in sorted((allowed or set()) - set(found)):
        reason = f"{ALLOW} names it, but it is not installed"
        registry.mark_absent(name, f"{reason}; pip install {package_of(name)}")
        reports.append(PluginReport(name, error=reason))
    return reports
