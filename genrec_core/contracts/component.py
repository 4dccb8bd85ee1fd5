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

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

import orjson
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from genrec_core.contracts.options import Options


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

    class Options(Options):
        """No options."""

    options: Any

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

    def inputs(self) -> tuple[Path, ...]:
        """Files and folders outside the store whose content the result depends on."""
        return ()

    def nested(self) -> Iterator[tuple[str, Component]]:
        """Components among the options, with the dotted path that leads to each."""
        for field in type(self.options).model_fields:
            yield from _components(field, getattr(self.options, field))

    def identity(self) -> dict[str, Any]:
        """What fingerprints contain: name, version and every option that can change the result."""
        return {"use": self.name, "version": self.version, "options": _plain(self.options, operational=False)}

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


def _components(path: str, value: Any) -> Iterator[tuple[str, Component]]:
    if isinstance(value, Component):
        yield path, value
        for inner, component in value.nested():
            yield f"{path}.{inner}", component
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            yield from _components(f"{path}.{index}", entry)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _components(f"{path}.{key}", entry)


def _plain(options: Options, *, operational: bool) -> dict[str, Any]:
    plain = {}
    for name, field in type(options).model_fields.items():
        extra = field.json_schema_extra
        if not operational and isinstance(extra, dict) and extra.get("operational"):
            continue
        plain[name] = _plain_value(getattr(options, name), operational=operational)
    return plain


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
