"""Options: the strict, frozen block of settings beside a component's `use:`.

Unknown keys are refused, values are not coerced (`"3"` is not 3), and the object cannot change after it
was checked, so that its canonical JSON can stand in a stage's fingerprint.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Base of every component's options.

    Write one field an option, with a type, a default where there is a sensible one, and a
    ``Field(description=...)`` or a docstring below the field: `genrec show` prints it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, arbitrary_types_allowed=True
    )


def operational(default: Any, description: str = "") -> Any:
    """A field that changes speed or memory but never the result: it stays out of fingerprints."""
    return Field(default, description=description, json_schema_extra={"operational": True})
