"""Paths in a pipeline file: relative ones are meant from the folder of whoever wrote them.

An option typed as `Path` is taken relative to the pipeline file's folder when it stands in the file (so a
pipeline and its data can be moved together), and relative to the current folder when it was given with
`--set` (so that the shell completes it). A text option that may also be a hub name is left alone.

The types are known only from the components' classes, so this walks the raw values beside the spec.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from genrec_core.contracts.component import Component
from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.yaml_source import Keys
from genrec_core.registry.registry import Registry

BaseOf = Callable[[Keys], Path]
"""From the place of a value to the folder that its relative paths start at."""


class Anchor:
    """Makes relative paths absolute.

    Args:
        registry: knows the components' classes.
        base_of: see `BaseOf`.
    """

    def __init__(self, registry: Registry, base_of: BaseOf) -> None:
        self.registry, self.base_of = registry, base_of

    def block(self, model: type[BaseModel], values: Any, path: Keys = ()) -> Any:
        """A block of options with every path in it made absolute; anything malformed stays as it is."""
        if not isinstance(values, dict):
            return values
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return {
            key: self._value(fields[key], value, (*path, key)) if key in fields else value
            for key, value in values.items()
        }

    def _value(self, annotation: Any, value: Any, path: Keys) -> Any:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if isinstance(annotation, type) and origin is None:
            return self._plain(annotation, value, path)
        if hasattr(annotation, "__metadata__"):  # Annotated[type, ...]
            return self._value(arguments[0], value, path)
        if origin in (Union, types.UnionType):
            for arm in arguments:
                value = self._value(arm, value, path)
            return value
        if isinstance(value, list) and arguments:
            return [self._value(arguments[0], entry, (*path, place)) for place, entry in enumerate(value)]
        if isinstance(value, dict) and len(arguments) == 2:
            return {key: self._value(arguments[1], entry, (*path, key)) for key, entry in value.items()}
        return value

    def _plain(self, annotation: type, value: Any, path: Keys) -> Any:
        if annotation is Path and isinstance(value, str):
            written = Path(value)
            with contextlib.suppress(RuntimeError):  # no such user: said when it is looked for
                written = written.expanduser()
            return str(self.base_of(path) / written)
        if issubclass(annotation, BaseModel):
            return self.block(annotation, value, path)
        if issubclass(annotation, Component) and isinstance(value, dict):
            return self._component(annotation.kind, value, path)
        return value

    def _component(self, kind: str, value: dict[str, Any], path: Keys) -> Any:
        try:
            cls = self.registry.resolve(kind, str(value.get("use")))
        except GenrecError:
            return value  # building it will say what is wrong, with the place
        return self.block(cls.Options, value, path)
