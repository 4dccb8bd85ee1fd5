"""Registers the command `genrec serve`; the entry point `serve` names this module."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register the command; FastAPI is imported when it is called."""
    registry.command("serve", "genrec_contrib_serve.command:serve", "Answer requests over HTTP, by a run.")
