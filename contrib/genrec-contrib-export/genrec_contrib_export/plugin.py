"""Registers the command `genrec export`; the entry point `export` names this module."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register the command; torch is imported when it is called."""
    registry.command(
        "export", "genrec_contrib_export.command:export", "Write a run for transformers and serving engines."
    )
