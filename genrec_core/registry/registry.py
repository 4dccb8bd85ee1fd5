"""Registry: component names to classes, and blocks of a pipeline file to components.

There is no global registry: `load_plugins()` makes one, tests make their own. While a plugin registers it
sees a registry of its own, bound to its name; only when all went well is that adopted into the whole, so
that a plugin which breaks halfway leaves nothing behind.

    >>> registry = Registry("demo")
    >>> registry.tokenizer("hashed", "demo.hashed:Hashed")     # lazy: nothing is imported yet
    >>> registry.names("tokenizer")
    ['demo/hashed']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from genrec_core.contracts.errors import GenrecError, PluginError
from genrec_core.registry.loading import MOVED, Registered, load, package_of
from genrec_core.registry.problems import OptionsError, Problem, did_you_mean, problems_of, shown

if TYPE_CHECKING:
    from genrec_core.contracts.component import Component

    Target = type[Component] | str

KINDS = (
    "source", "split", "encoder", "teacher", "tokenizer", "corpus", "backbone", "trainer", "loss",
    "reward", "recommender", "grounder", "baseline", "observer",
)  # fmt: skip

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COMMAND_NAME = re.compile(rf"({_NAME.pattern} )?{_NAME.pattern}")


class Registry:
    """Names of every kind of component.

    Args:
        plugin: the name that what is registered here gets in front; a plugin receives a registry made
            with its own entry point's name.
    """

    def __init__(self, plugin: str = "") -> None:
        self.plugin = plugin
        self._entries: dict[tuple[str, str], Registered] = {}
        self._extensions: dict[tuple[str, str], Registered] = {}
        self._absent: dict[str, str] = {}

    # One method a kind, so that a misspelled one is an AttributeError in the plugin's own line.

    def source(self, name: str, target: Target) -> None:
        """Register a `Source`."""
        self._add("source", name, target)

    def split(self, name: str, target: Target) -> None:
        """Register a `Split`."""
        self._add("split", name, target)

    def encoder(self, name: str, target: Target) -> None:
        """Register an `Encoder`."""
        self._add("encoder", name, target)

    def teacher(self, name: str, target: Target) -> None:
        """Register a `Teacher`."""
        self._add("teacher", name, target)

    def tokenizer(self, name: str, target: Target) -> None:
        """Register a `Tokenizer`."""
        self._add("tokenizer", name, target)

    def corpus(self, name: str, target: Target) -> None:
        """Register a `Corpus`."""
        self._add("corpus", name, target)

    def backbone(self, name: str, target: Target) -> None:
        """Register a `Backbone`."""
        self._add("backbone", name, target)

    def trainer(self, name: str, target: Target) -> None:
        """Register a `Trainer`."""
        self._add("trainer", name, target)

    def loss(self, name: str, target: Target) -> None:
        """Register a `Loss`."""
        self._add("loss", name, target)

    def reward(self, name: str, target: Target) -> None:
        """Register a `Reward`."""
        self._add("reward", name, target)

    def recommender(self, name: str, target: Target) -> None:
        """Register a `Recommender`."""
        self._add("recommender", name, target)

    def grounder(self, name: str, target: Target) -> None:
        """Register a `Grounder`."""
        self._add("grounder", name, target)

    def baseline(self, name: str, target: Target) -> None:
        """Register a `Baseline`."""
        self._add("baseline", name, target)

    def observer(self, name: str, target: Target) -> None:
        """Register an `Observer`."""
        self._add("observer", name, target)

    def command(self, name: str, target: str, summary: str) -> None:
        """Register a command, `genrec NAME`.

        Args:
            name: what is typed behind `genrec`; no plugin's name stands in front of it. `"data get"` is a
                command of the core's group `data`.
            target: `"package.module:command"`, a click command; imported when it is used.
            summary: its line in `genrec --help`.
        """
        _check(name, target, kind="command")
        self._extend(Registered("command", name, target, self.plugin, summary))

    def section(self, name: str, target: str) -> None:
        """Register a section of the report.

        Args:
            name: its name in this plugin.
            target: `"package.module:function"`, a function from `ReportFacts` to a `Section`, or to None
                where it has nothing to say; imported when a report is written.
        """
        _check(name, target, kind="section")
        self._extend(Registered("section", f"{self.plugin}/{name}", target, self.plugin))

    def _extend(self, entry: Registered) -> None:
        if (entry.kind, entry.name) in self._extensions:
            raise PluginError(
                f"{entry.kind} `{entry.name}` is registered twice", hint="rename one of the two"
            )
        self._extensions[entry.kind, entry.name] = entry

    def _add(self, kind: str, name: str, target: Target) -> None:
        _check(name, target, kind="component")
        full = f"{self.plugin}/{name}"
        if (kind, full) in self._entries:
            raise PluginError(f"{kind} `{full}` is registered twice", hint="give one of the two another name")
        self._entries[kind, full] = Registered(kind, full, target, self.plugin)

    def adopt(self, other: Registry) -> None:
        """Take over everything another registry holds.

        Raises:
            PluginError: a name is taken.
        """
        for mine, theirs in ((self._entries, other._entries), (self._extensions, other._extensions)):
            for key in theirs:
                if key in mine:
                    raise PluginError(f"{key[0]} `{key[1]}` is registered twice")
            mine |= theirs

    def extensions(self, kind: str = "") -> list[Registered]:
        """Commands and sections of the report, or those of one kind, in the order they were registered."""
        return [entry for entry in self._extensions.values() if kind in ("", entry.kind)]

    def mark_absent(self, plugin: str, reason: str) -> None:
        """Remember why a plugin's components are not here, for the pipeline that asks for one."""
        self._absent[plugin] = reason

    def __iter__(self) -> Iterator[Registered]:
        return iter(self._entries.values())

    def names(self, kind: str) -> list[str]:
        """Full names of one kind, sorted."""
        return sorted(entry.name for entry in self if entry.kind == kind)

    def resolve(self, kind: str, name: str) -> type[Component]:
        """The class behind a name.

        Raises:
            PluginError: there is no such name, or its class cannot be loaded; says what to do.
        """
        entry = self._entries.get((kind, name))
        if entry is None:
            raise self._unknown(kind, name)
        return load(entry)

    def build(self, kind: str, value: Any) -> Component:
        """The component that a block names and configures: `plugin/name` or `{use: plugin/name, ...}`.

        Raises:
            OptionsError: with every mistake in the block and in the blocks nested in it.
        """
        from pydantic import ValidationError

        name, raw = _block(kind, value)
        try:
            cls = self.resolve(kind, name)
        except GenrecError as error:
            path = ("use",) if isinstance(value, Mapping) else ()
            raise OptionsError([Problem(path, error.message, error.hint)]) from error
        try:
            return cls.configured(name, raw, self)
        except ValidationError as error:
            raise OptionsError(problems_of(error, cls.Options, f"{kind} `{name}`")) from error
        except OptionsError:
            raise
        except GenrecError as error:
            raise OptionsError([Problem((), error.message, error.hint)]) from error

    def _unknown(self, kind: str, name: str) -> PluginError:
        plugin, slash, _ = name.partition("/")
        names = self.names(kind)
        if name in MOVED:
            new, package = MOVED[name]
            install = "" if new in names else f"pip install {package}, and "
            return PluginError(
                f"{kind} `{name}` is now `{new}`, in the package `{package}`",
                hint=f"{install}write `use: {new}`",
            )
        if not slash:
            ends = [known for known in names if known.endswith(f"/{name}")]
            hint = f"did you mean `{ends[0]}`?" if ends else did_you_mean(name, names)
            return PluginError(f"`{name}` is no component: names have the form `plugin/name`", hint=hint)
        others = sorted(entry.kind for entry in self if entry.name == name)
        if others:
            return PluginError(
                f"`{name}` is {_one(others[0])}, but {_one(kind)} belongs here",
                hint=did_you_mean(name, names),
            )
        if plugin in self._absent:
            return PluginError(
                f"{kind} `{name}` needs the plugin `{plugin}`, which is not usable: {self._absent[plugin]}",
                hint="`genrec plugins` shows the state of every plugin",
            )
        if not any(entry.name.startswith(f"{plugin}/") for entry in self):
            near = did_you_mean(name, names, otherwise=" ")
            return PluginError(
                f"{kind} `{name}` needs the plugin `{plugin}`, which is not installed",
                hint=f"pip install {package_of(plugin)}" + (f", or {near}" if near.strip() else ""),
            )
        return PluginError(f"there is no {kind} `{name}`", hint=did_you_mean(name, names))


def _check(name: str, target: object, *, kind: str) -> None:
    if not (_COMMAND_NAME if kind == "command" else _NAME).fullmatch(name):
        raise PluginError(
            f"`{name}` is no {kind} name", hint="use lower-case letters, digits, `-`, `_` and `.`"
        )
    lazy = isinstance(target, str)
    if (lazy and str(target).count(":") != 1) or (not lazy and kind != "component"):
        wanted = "Class" if kind == "component" else "name"
        what = "a class" if kind == "component" else f"the {kind}"
        raise PluginError(f"`{target}` does not say where {what} is", hint=f"write `package.module:{wanted}`")


def _one(kind: str) -> str:
    return f"an {kind}" if kind[0] in "eo" else f"a {kind}"


def _block(kind: str, value: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping):
        problem = Problem((), f"{shown(value)} is no {kind}", "write {use: plugin/name, option: value}")
        raise OptionsError([problem])
    raw = dict(value)
    name = raw.pop("use", None)
    if name is None:
        raise OptionsError([Problem((), f"this {kind} does not say which one", "add `use: plugin/name`")])
    if not isinstance(name, str):
        raise OptionsError([Problem(("use",), f"{shown(name)} is no component name", "write `plugin/name`")])
    return name, raw
