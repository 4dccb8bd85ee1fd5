"""Component: options plus behaviour, the one shape that every kind of plugin part has.

A component holds no fitted state; what it learns is returned as an artefact. Components nest: an option
annotated with a kind (`encoder: Encoder`) accepts `{use: plugin/name, ...}` in the pipeline file and
arrives as a ready component.

    class Hashed(Tokenizer):
        version = "1"

        class Options(Tokenizer.Options):
            levels: int = 3

        options: Options

    Hashed(levels=4).options.levels   # 4
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self, cast

import orjson
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from genrec_core.contracts.items import Items
from genrec_core.contracts.options import Options, expanded
from genrec_core.contracts.source_code import home_package, sources

_KINDS = "genrec_core.contracts."


class Builder(Protocol):
    """Turns `{use: ..., ...}` into a component; the registry is one."""

    def build(self, kind: str, value: Any) -> Component:
        """The component of `kind` that `value` names and configures."""


class Component:
    """Base of every kind. Subclass a kind (`Tokenizer`, `Corpus`, …), not this."""

    kind: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    """Raise it whenever the same options would give a different result: fingerprints contain it."""
    seeded: ClassVar[bool] = True
    """Whether the result depends on the pipeline's seed."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Modules that it imports when it works, those of its bases among them; whether they are installed is
    looked at before anything runs."""

    class Options(Options):
        """No options."""

    options: Any
    recorded: Mapping[str, str] = MappingProxyType({})
    """Text of an option → what `identity` has in its place. Where a run's files were moved, as in a bundle,
    options say where they are now and fingerprints where they were."""

    def __init__(self, **options: Any) -> None:
        self.options = self.Options.model_validate(options, strict=False)
        self.name = f"{type(self).__module__}.{type(self).__qualname__}"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        bases = (base for base in cls.__mro__[1:] if issubclass(base, Component) and "Options" in vars(base))
        owner = next(bases, Component)
        parent = Options if owner is Component else owner.Options
        if not issubclass(cls.Options, parent):
            raise TypeError(
                f"`{cls.__name__}.Options` must inherit the options of its kind: "
                f"write `class Options({owner.__name__}.Options)`"
            )

    @classmethod
    def configured(cls, name: str, raw: Mapping[str, Any], builder: Builder) -> Self:
        """The component registered as `name`, with options checked from plain values.

        Raises:
            pydantic.ValidationError: an option is unknown, missing or of the wrong type.
        """
        component = cls.__new__(cls)
        # Read as JSON: strict there still takes a list for a tuple and a string for a path, as YAML needs.
        plain = orjson.dumps(dict(raw))
        component.options = cls.Options.model_validate_json(plain, context={"builder": builder})
        component.name = name
        return component

    def is_seeded(self) -> bool:
        """Whether the result depends on the seed with these options; by default what the class says."""
        return self.seeded

    def with_options(self, **options: Any) -> Self:
        """The same component with some options changed to values that are known to fit."""
        other = type(self).__new__(type(self))
        other.options, other.name = self.options.model_copy(update=options), self.name
        other.recorded = self.recorded
        return other

    def inputs(self) -> tuple[Path, ...]:
        """Files and folders outside the store whose content the result depends on.

        By default every path among the options but operational ones: `genrec check` looks whether they are
        there, and fingerprints hold their content. Override it for what an option of another type names.
        """
        return tuple(dict.fromkeys(path for _, path in self.paths()))

    def refuse_unusable(self) -> None:
        """Look at what can be known to be wrong before anything runs, beyond options and missing files.

        `genrec check` and `genrec run` call it once the files are there; by default nothing is looked at.

        Raises:
            GenrecError: it cannot work as it is configured.
        """

    def needed_modules(self) -> tuple[str, ...]:
        """Modules that it imports with these options; by default `needs`. `genrec check` looks for them."""
        return self.needs

    def refuse_items(self, items: Items) -> None:
        """Look at what can be known to be wrong once the catalogue is: fields and values that items lack.

        `genrec run` calls it behind the stage `data`, before anything else is made; by default nothing is
        looked at.

        Raises:
            GenrecError: it cannot work with these items.
        """

    def paths(self, *, operational: bool = False) -> Iterator[tuple[str, Path]]:
        """Paths among the options with the dotted way to each, those of nested components left out."""
        yield from _paths("", self.options, operational)

    @classmethod
    def code(cls) -> str:
        """SHA-256 of the source this class is written in.

        A part of fingerprints, so that edited code does not reuse what the old code made, whether or not
        somebody raised `version`. Looked at are the modules of the class and of its bases above the kinds,
        and what they import, from module to module, out of the packages that these classes come from (of
        `genrec_core` its `builtin`). Not looked at are the engine and the rest of the core, whose version is
        the package's; other packages; what is imported by a name that is computed; and what has no source.
        Empty where nothing has any (a class typed into an interpreter).
        """
        above = [base for base in cls.__mro__[:-1] if not base.__module__.startswith(_KINDS)]
        packages = {home_package(base.__module__) for base in above if issubclass(base, Component)} - {""}
        body = "\0".join(sources(list(dict.fromkeys(base.__module__ for base in above)), packages))
        return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest() if body else ""

    def model_slots(self) -> tuple[str, ...]:
        """Slots of the pipeline whose models it asks for through `Context.models`; by default none.

        A teacher that is a model of the pipeline names its slot here, so that the plan knows what the stage
        reads.
        """
        return ()

    def nested(self) -> Iterator[tuple[str, Component]]:
        """Components among the options, with the dotted path that leads to each."""
        yield from components_in(self.options)

    def identity(self) -> dict[str, Any]:
        """What fingerprints contain: name, version and every option that can change the result."""
        options = _as_recorded(_plain(self.options, operational=False), self.recorded)
        return {"use": self.name, "version": self.version, "options": options}

    def described(self) -> dict[str, Any]:
        """The block as a pipeline file would write it, every default filled in."""
        return {"use": self.name, **_plain(self.options, operational=True)}

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._from_option, serialization=core_schema.plain_serializer_function_ser_schema(_plain_value)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "description": f"a {cls.kind} component",
            "type": "object",
            "properties": {"use": {"type": "string"}},
            "required": ["use"],
        }

    @classmethod
    def _from_option(cls, value: Any, info: ValidationInfo) -> Component:
        if isinstance(value, cls):
            return value
        builder = cast("Builder | None", (info.context or {}).get("builder"))
        if builder is None:
            raise PydanticCustomError(
                "component", "must be a {kind} component; in Python, pass an instance", {"kind": cls.kind}
            )
        return builder.build(cls.kind, value)


def components_in(value: Any, path: str = "") -> Iterator[tuple[str, Component]]:
    """Components in a value, those nested in them included, with the dotted path that leads to each."""
    below = f"{path}." if path else ""
    if isinstance(value, Component):
        yield path, value
        for inner, component in value.nested():
            yield f"{below}{inner}", component
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            yield from components_in(entry, f"{below}{index}")
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from components_in(entry, f"{below}{key}")
    elif isinstance(value, Options):
        for field in type(value).model_fields:
            yield from components_in(getattr(value, field), f"{below}{field}")


def _paths(way: str, value: Any, operational: bool) -> Iterator[tuple[str, Path]]:
    inner: Iterator[tuple[Any, Any]]
    if isinstance(value, Path):
        yield way, expanded(value, known=False)
        return
    if isinstance(value, Options):
        fields = type(value).model_fields.items()
        inner = ((name, getattr(value, name)) for name, field in fields if operational or not _idle(field))
    elif isinstance(value, (list, tuple)):
        inner = iter(enumerate(value))
    elif isinstance(value, Mapping):
        inner = iter(value.items())
    else:
        return
    for name, entry in inner:
        yield from _paths(f"{way}.{name}" if way else str(name), entry, operational)


def _idle(field: FieldInfo) -> bool:
    """Whether an option changes speed or memory but never the result."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("operational"))


def _plain(options: Options, *, operational: bool) -> dict[str, Any]:
    plain = {}
    for name, field in type(options).model_fields.items():
        if not operational and _idle(field):
            continue
        plain[name] = _plain_value(getattr(options, name), operational=operational)
    return plain


def _as_recorded(value: Any, recorded: Mapping[str, str]) -> Any:
    if not recorded:
        return value
    if isinstance(value, dict):
        return {key: _as_recorded(entry, recorded) for key, entry in value.items()}
    if isinstance(value, list):
        return [_as_recorded(entry, recorded) for entry in value]
    return recorded.get(value, value) if isinstance(value, str) else value


def _plain_value(value: Any, *, operational: bool = True) -> Any:
    if isinstance(value, Component):
        return value.described() if operational else value.identity()
    if isinstance(value, Options):
        return _plain(value, operational=operational)
    if isinstance(value, Mapping):
        return {str(key): _plain_value(entry, operational=operational) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_value(entry, operational=operational) for entry in value]
    return str(value) if isinstance(value, Path) else value
