"""Registers the teachers; the entry point `teachers` names this module."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register everything under `teachers/`."""
    registry.teacher("openai", "genrec_contrib_teachers.openai_server:OpenAIServer")
