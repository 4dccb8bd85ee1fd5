"""`genrec show`: a component's options with types, defaults and what they mean. `genrec plugins`: what is
installed, what each plugin provides, what is broken and why.

    genrec plugins            core  (genrec-core 0.4.0)   backbone  gguf, pretrained, tiny-causal, …
    genrec show core/beam     beams: whole number = 20 …
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import click
import orjson
from pydantic.fields import FieldInfo

from genrec_core.cli.environment import JSON
from genrec_core.contracts.component import Component
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import Options
from genrec_core.pipeline.console import echo, echo_json
from genrec_core.registry.discovery import PluginReport, load_plugins
from genrec_core.registry.problems import did_you_mean
from genrec_core.registry.registry import KINDS, Registry


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Where two kinds have a component of this name.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of the options.")
def show(name: str, kind: str | None, schema: bool) -> None:
    """Show the options of NAME, a component like core/beam."""
    registry, _ = load_plugins()
    for found in [kind] if kind else _kinds(registry, name):
        cls = registry.resolve(found, name)
        if schema:
            echo_json(_schema(name, cls))
        else:
            echo(described(found, name, cls))


def _kinds(registry: Registry, name: str) -> list[str]:
    kinds = [entry.kind for entry in registry if entry.name == name]
    if not kinds:
        plugin = name.partition("/")[0]
        known = sorted({entry.name for entry in registry})
        if not any(other.startswith(f"{plugin}/") for other in known):
            registry.resolve("component", name)  # raises with the plugin's state
        raise GenrecError(f"there is no component `{name}`", hint=did_you_mean(name, known))
    return kinds


def described(kind: str, name: str, cls: type[Component]) -> str:
    """A component as `genrec show` prints it, which is also how the page of all components lists it."""
    lines = [f"{name}  ({kind}, version {cls.version})", ""]
    lines += [f"  {line}" for line in (inspect.getdoc(cls) or "").splitlines()]
    fields = cls.Options.model_fields
    lines += ["", "options:" if fields else "no options", *_options(cls.Options, "  ")]
    return "\n".join(lines)


def _options(options: type[Options], margin: str) -> Iterator[str]:
    """Name, type, default, meaning and bounds of each option; those of a block of options below it."""
    inside = f"{margin}    "
    for option, field in options.model_fields.items():
        yield f"{margin}{option}: {_type(field.annotation)}{_default(field)}"
        yield from (inside + line for line in (field.description or "").splitlines())
        rules = _rules(field)
        if rules:
            yield f"{inside}must be {' and '.join(rules)}"
        for block in _blocks(field.annotation):
            yield from _options(block, inside)


def _blocks(annotation: Any) -> Iterator[type[Options]]:
    """The blocks of options that an annotation allows."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, Options):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _blocks(argument)


def _type(annotation: Any) -> str:
    """A type as a person writes it: `int`, `list of corpus`, `identifier | title`."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, Component):
            return annotation.kind
        if issubclass(annotation, Options):
            return "block of options"
        return _WORDS.get(annotation.__name__, annotation.__name__)
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return " | ".join(str(argument) for argument in arguments)
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"block of {_type(arguments[0])}: {_type(arguments[1])}"
    if origin is typing.Annotated:
        return _type(arguments[0])
    return " | ".join(_type(argument) for argument in arguments) or str(annotation)


_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true | false",
    "NoneType": "null",
    "Path": "path",
}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "  (required)"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Component):
        value = value.described()
    if isinstance(value, tuple):
        value = list(value)
    return f" = {orjson.dumps(value, default=str).decode()}"


def _rules(field: FieldInfo) -> list[str]:
    """The bounds of an option as a person writes them: `at least 1`, `below 1`."""
    rules = []
    for rule in field.metadata:
        for attribute, words in _BOUNDS.items():
            bound = getattr(rule, attribute, None)
            if bound is not None:
                rules.append(f"{words} {bound}")
    return rules


_BOUNDS = {
    "ge": "at least",
    "gt": "above",
    "le": "at most",
    "lt": "below",
    "multiple_of": "a multiple of",
    "min_length": "of length at least",
    "max_length": "of length at most",
    "pattern": "text that fits",
}


def _schema(name: str, cls: type[Component]) -> dict[str, Any]:
    schema = cls.Options.model_json_schema()
    schema["properties"] = {"use": {"const": name}, **schema.get("properties", {})}
    schema["required"] = ["use", *schema.get("required", [])]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@click.command()
@JSON
def plugins(as_json: bool) -> None:
    """List plugins with what they provide; a broken one comes with the reason."""
    _, reports = load_plugins()
    if as_json:
        echo_json([_plain(report) for report in reports])
        return
    for report in reports:
        echo(_headline(report))
        by_kind: dict[str, list[str]] = {}
        for one in (*report.components, *report.extensions):
            by_kind.setdefault(one.kind, []).append(one.name)
        for kind, names in sorted(by_kind.items()):
            echo(f"  {kind:<12} {', '.join(sorted(names))}")


def _headline(report: PluginReport) -> str:
    package = f"{report.distribution} {report.version}".strip() or "not installed"
    if report.disabled:
        return f"{report.name}  ({package})  OFF: {report.error}"
    return f"{report.name}  ({package})" + (f"  BROKEN: {report.error}" if report.error else "")


def _plain(report: PluginReport) -> dict[str, object]:
    return {
        "name": report.name,
        "distribution": report.distribution,
        "version": report.version,
        "state": "off" if report.disabled else "broken" if report.error else "ok",
        "error": report.error,
        "components": [
            {"kind": component.kind, "name": component.name, "class": component.place}
            for component in report.components
        ],
        "extensions": [{"kind": one.kind, "name": one.name, "place": one.place} for one in report.extensions],
    }
